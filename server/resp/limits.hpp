// Every named limit of the RESP front end (I10). Sources: Redis 7.0 networking.c for the protocol's
// own limits, so that a request that Redis reads is read here too; the rest is ours.
#pragma once

#include <chrono>
#include <cstddef>

#include "common/limits.hpp"

namespace switchback {

// Requests.
inline constexpr std::size_t kInlineBytesMax = 64ull << 10;   // PROTO_INLINE_MAX_SIZE
inline constexpr std::size_t kArgumentCountMax = 1ull << 20;  // arguments of one request
inline constexpr std::size_t kBulkBytesMax = 512ull << 20;    // proto-max-bulk-len
// Before AUTH a stranger may not make us hold much (CVE-2021-32675).
inline constexpr std::size_t kStrangerArgumentCountMax = 10;
inline constexpr std::size_t kStrangerBulkBytesMax = 16384;
// A request that needs more memory than this is read to its end, thrown away on the way, and
// refused. Twice the largest transaction leaves room for the keys of commands that only read.
inline constexpr std::size_t kRequestBytesMax = 2 * kTransactionBytesMax;

// One read from a socket. The buffer belongs to the io thread, not to the connection.
inline constexpr std::size_t kReadBytes = 64ull << 10;
// What an idle connection may keep of each of its buffers.
inline constexpr std::size_t kIdleBufferBytesMax = 4ull << 10;

// A connection stops executing when this much output waits, and goes on when the client has read.
inline constexpr std::size_t kOutputHighWaterBytes = 1ull << 20;
// Past this a client is cut off (one huge reply; pipelining stops at the high water).
inline constexpr std::size_t kOutputBytesMaxDefault = 256ull << 20;
// A client that takes nothing of its waiting output for so long is cut off.
inline constexpr std::chrono::seconds kOutputStallMax{10};
// A request that was begun and does not grow, or a connection that does not authenticate.
inline constexpr std::chrono::seconds kRequestStallMax{60};

inline constexpr std::size_t kClientCountMaxDefault = 10000;
inline constexpr std::chrono::milliseconds kAcceptBackoff{100};

// Pipelined writes of one connection that become one WriteOp.
inline constexpr std::size_t kGatherCommandCountMax = 1024;
inline constexpr std::size_t kGatherBytesMax = 1ull << 20;
// Commands waiting for EXEC.
inline constexpr std::size_t kQueuedCommandCountMax = kTransactionEffectCountMax;
inline constexpr std::size_t kQueuedCommandBytesMax = kRequestBytesMax;
inline constexpr std::size_t kWatchedKeyCountMax = 65536;

// SCAN: records looked at per call, whatever COUNT says, and key bytes of one page.
inline constexpr std::size_t kScanCountMax = 16384;
inline constexpr std::size_t kScanPageBytesMax = 1ull << 20;
// Scans under way at once, and positions kept so that the last page of a scan can be asked again.
inline constexpr std::size_t kScanCursorCountMax = 65536;
inline constexpr std::size_t kScanCursorRetryCountMax = 16384;
// KEYS: records of one slice; the snapshot is given back between slices.
inline constexpr std::size_t kKeysSliceCount = 4096;
// Patterns of SCAN and KEYS (an unbounded pattern is unbounded work per key).
inline constexpr std::size_t kPatternBytesMax = 4096;

inline constexpr std::size_t kClientNameBytesMax = 1024;

}  // namespace switchback
