// The program's command line.
#pragma once

namespace switchback {

// Parses and runs one command. Returns the exit code: 0 done, 1 failed, 2 usage, 3 refused by a
// safety check. Writes results to std::cout, messages to std::cerr. Throws nothing.
int RunCommandLine(int argc, const char* const* argv);

}  // namespace switchback
