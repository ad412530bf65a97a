#include "flags/flag_file.hpp"

#include "common/file.hpp"

namespace switchback {

Result<FlagMap> LoadFlagFile(const std::string& path) {
  auto content = ReadWholeFile(path, kFlagFileBytesMax);
  if (!content) return Fail(content.error());
  auto flags = ParseFlags(*content);
  if (!flags) return Fail(WithContext(flags.error(), path));
  return flags;
}

}  // namespace switchback
