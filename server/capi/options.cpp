#include "server/capi/options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace switchback::capi {
namespace {

// Of the first version that had this interface: nobody has a shorter one. It never changes.
constexpr std::size_t kFirstSize = offsetof(switchback_options, log_bytes_max) + 8;
// Past it the size was surely never set.
constexpr std::size_t kSizeMax = 4096;
constexpr std::uint64_t kMemtableBytesMin = 1u << 20;
constexpr std::uint64_t kLogBytesMin = 16u << 20;

// A copy with 0 where the caller's header knew of no member.
Result<switchback_options> CopyKnown(const switchback_options& given) {
  const std::size_t size = given.size;
  if (size < kFirstSize || size > kSizeMax)
    return Fail(ErrorCode::kInvalidArgument, "options.size is " + std::to_string(size) +
                                                 ": set it to sizeof(switchback_options)");
  switchback_options known{};
  std::memcpy(&known, &given, std::min(size, sizeof known));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  for (std::size_t i = sizeof known; i < size; ++i) {
    if (bytes[i] != 0)
      return Fail(
          ErrorCode::kUnsupported,
          "an option is set that this version of the library does not know: use the library "
          "that belongs to the header");
  }
  return known;
}

std::string TextOf(const char* text) {
  return text == nullptr ? "" : text;
}

Status SetNumber(std::uint64_t given, std::uint64_t least, const char* name, auto& target) {
  if (given == 0) return {};
  if (given < least)
    return Fail(ErrorCode::kInvalidArgument,
                std::string("options.") + name + " is at least " + std::to_string(least));
  target = given;
  return {};
}

Result<LogLevel> LogLevelOf(std::int32_t level) {
  switch (level) {
    case SWITCHBACK_LOG_DEBUG: return LogLevel::kDebug;
    case SWITCHBACK_LOG_INFO: return LogLevel::kInfo;
    case SWITCHBACK_LOG_DEFAULT:
    case SWITCHBACK_LOG_WARNING: return LogLevel::kWarning;
    case SWITCHBACK_LOG_ERROR: return LogLevel::kError;
    default: return Fail(ErrorCode::kInvalidArgument, "options.log_level is a SWITCHBACK_LOG_...");
  }
}

Status CheckSwitches(const switchback_options& options) {
  if (options.ack != SWITCHBACK_ACK_LOG && options.ack != SWITCHBACK_ACK_STORES)
    return Fail(ErrorCode::kInvalidArgument, "options.ack is a SWITCHBACK_ACK_...");
  if (options.without_guard != 0 && options.without_guard != 1)
    return Fail(ErrorCode::kInvalidArgument, "options.without_guard is 0 or 1");
  if (options.reserved != 0)
    return Fail(ErrorCode::kInvalidArgument, "options.reserved is 0: clear the options first");
  if (options.data_dir == nullptr || *options.data_dir == '\0')
    return Fail(ErrorCode::kInvalidArgument, "options.data_dir names no directory");
  return {};
}

}  // namespace

Result<OpenRequest> ReadOptions(const switchback_options* given) {
  if (given == nullptr) return Fail(ErrorCode::kInvalidArgument, "options is NULL");
  const auto options = CopyKnown(*given);
  if (!options) return Fail(options.error());
  SB_RETURN_IF_ERROR(CheckSwitches(*options));
  OpenRequest request;
  const auto level = LogLevelOf(options->log_level);
  if (!level) return Fail(level.error());
  request.log_level = *level;
  request.embedded.flags_path = TextOf(options->flags_path);
  GuardSettings& guard = request.embedded.guard;
  guard.is_enabled = options->without_guard == 0;
  if (!guard.is_enabled) guard.crash_count_max = 0;
  DbServiceOptions& service = request.embedded.service;
  service.data_dir = options->data_dir;
  service.legacy_path = TextOf(options->legacy_path);
  service.unified_path = TextOf(options->unified_path);
  service.ack = options->ack == SWITCHBACK_ACK_STORES ? AckMode::kStores : AckMode::kLog;
  SB_RETURN_IF_ERROR(
      SetNumber(options->value_bytes_max, 1, "value_bytes_max", service.value_bytes_max));
  SB_RETURN_IF_ERROR(SetNumber(options->memtable_bytes_max, kMemtableBytesMin, "memtable_bytes_max",
                               service.memtable_bytes_max));
  SB_RETURN_IF_ERROR(
      SetNumber(options->log_bytes_max, kLogBytesMin, "log_bytes_max", service.log_bytes_max));
  return request;
}

}  // namespace switchback::capi
