#include "server/cli/command_line.hpp"

int main(int argc, char** argv) {
  return switchback::RunCommandLine(argc, argv);
}
