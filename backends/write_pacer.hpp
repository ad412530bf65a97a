// Keeps what a store writes in bulk out of the way of the commit log's syncs.
//
// A store's commit, and a checkpoint even more, leaves thousands of scattered dirty pages to one
// fdatasync, and a log on the same device then waits until all of them are written: tens of
// milliseconds for every client. So on a thread that asks for it, what the engine writes goes to
// the device in small portions, each waited for (sync_file_range), and a sync of the log gets in
// between. Measured: 10,000 scattered pages at once delay the log's syncs by 71 ms (p99), in
// portions by 1.9 ms, and take a tenth longer (docs/storage-layout.md).
//
// It only moves writes forward: the engine's own syncs come after it and mean what they always did.
// A portion that cannot be written fails the write, since the kernel reports such an error once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "common/result.hpp"

namespace switchback {

// What LMDB and SQLite write on this thread is paced from now on, until the thread ends, and
// `on_progress` called after each portion: a long transaction that moves is not one that hangs.
// With `is_wanted` a portion is waited for only when that says so, which is asked for each one;
// else it is only got under way. Does nothing where the platform cannot do it.
void PaceWritesOfThisThread(std::function<void()> on_progress,
                            std::function<bool()> is_wanted = {});

// The same for what somebody else than the engines has just written on this thread: paced where the
// thread's writes are. Error: what was written cannot be got to the device (kIo, kNoSpace).
Status PaceWrite(int fd, std::size_t bytes, std::uint64_t offset);

// Puts the pacer below SQLite: replaces a system call in its VFS, once a process, with one that is
// the same on every thread that has not asked for pacing. LMDB is linked against the pacer
// (backends/CMakeLists.txt).
void InstallWritePacerInSqlite() noexcept;

}  // namespace switchback
