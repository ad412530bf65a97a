// Every named limit (I10). A limit that clients or operators can meet is described in
// docs/operations.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace switchback {

// Records. 511 is LMDB's own limit (mdb_env_get_maxkeysize); a longer key could never be rolled
// back.
inline constexpr std::size_t kKeyBytesMax = 511;
inline constexpr std::size_t kValueBytesMaxDefault = 64ull << 20;
inline constexpr std::size_t kCollectionNameBytesMax = 64;
inline constexpr std::uint32_t kCollectionCountMax = 1024;

// One atomic write (a MULTI, an MSET): LMDB holds at most 131,071 dirty pages in a transaction (512
// MiB of 4 KiB pages).
inline constexpr std::size_t kTransactionBytesMax = 128ull << 20;
inline constexpr std::size_t kTransactionEffectCountMax = 1u << 20;

// Group commit stops collecting at these.
inline constexpr std::size_t kBatchBytesMax = 8ull << 20;
inline constexpr std::size_t kBatchEffectCountMax = 16384;

// The pipeline's queue: past it a write is refused with kBusy.
inline constexpr std::size_t kQueueBytesMax = 512ull << 20;

// Memtable: past the budget writers wait (back-pressure).
inline constexpr std::size_t kMemtableBytesMaxDefault = 128ull << 20;
inline constexpr std::size_t kMemtableRecordCountMaxDefault = 262144;
// The memtable's unit of sealing and evicting.
inline constexpr std::size_t kSegmentBytesMax = 16ull << 20;
inline constexpr std::size_t kSegmentRecordCountMax = 32768;
// One follower transaction. Large ones touch a page once for several records: what random writes
// cost a store falls by half from 32,768 to 131,072 records. With a page for each record it passes
// LMDB's 131,071 dirty pages; LMDB then writes some before the commit (seen with 175,000).
inline constexpr std::size_t kApplyBytesMax = 64ull << 20;
inline constexpr std::size_t kApplyRecordCountMax = 131072;

// What a store hands to the device at once (backends/write_pacer.hpp).
inline constexpr std::size_t kPacedWriteBytes = 128 << 10;

// Commit log.
inline constexpr std::uint64_t kLogFileBytesDefault = 32ull << 20;
inline constexpr std::uint64_t kLogBytesMaxDefault =
    8ull << 30;  // past it a follower that holds the log back is given up
inline constexpr std::size_t kLogSpareFileCountMax = 2;
// A file that is begun while no spare is ready, so that a write hardly waits for its making.
inline constexpr std::uint64_t kLogHurriedFileBytes = 1ull << 20;

// Events that are remembered for those who watch (service/event_hub.hpp), and the data of one.
inline constexpr std::size_t kEventCountMax = 2048;
inline constexpr std::size_t kEventBytesMax = 4u << 20;
inline constexpr std::size_t kEventDataBytesMax = 64u << 10;

// How long writers wait at a limit before they get kBusy.
inline constexpr std::chrono::milliseconds kBackpressureWaitMax{15000};
// A follower that holds the memtable at its budget and makes no progress for this long leaves
// service.
inline constexpr std::chrono::milliseconds kFollowerStallMax{5000};

}  // namespace switchback
