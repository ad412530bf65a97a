#include "server/cli/offline.hpp"

#include <sys/stat.h>

#include "server/process.hpp"

namespace switchback {

Result<std::unique_ptr<DbService>> OpenOffline(const std::string& data_dir) {
  SB_RETURN_IF_ERROR(ActAsOwner(data_dir));
  // Opening would make a new, empty service where a mistyped path points to.
  struct stat info {};
  if (::stat((data_dir + "/CURRENT").c_str(), &info) != 0)
    return Fail(ErrorCode::kNotFound,
                data_dir + " is not a data directory: it has no file CURRENT");
  DbServiceOptions options;
  options.data_dir = data_dir;
  return DbService::Open(std::move(options));
}

}  // namespace switchback
