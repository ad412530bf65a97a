// From a backup to any later moment of its epoch, by what the log held in between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "rollback/log_piece.hpp"

namespace switchback {

// A moment: after that batch, before the next one.
struct LogMoment {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;
};

// The last batch written at or before `time`, by the server's clock as it was; of that sequence.
// kNotFound: the pieces say nothing about it, with what they reach from and to.
Result<LogMoment> FindTime(const std::vector<LogPiece>& pieces, WallTime time);
Result<LogMoment> FindSequence(const std::vector<LogPiece>& pieces, std::uint64_t sequence);

// The pieces that lead from batch `after` to `moment`, in order and without a gap. kNotFound: they
// don't, with what is missing.
Result<std::vector<LogPiece>> PiecesBetween(const std::vector<LogPiece>& pieces,
                                            std::uint64_t after, const LogMoment& moment);

// A store to be brought forth; nobody else has it open.
struct ReplayTarget {
  std::string engine;
  std::string path;
};
// Applies the batches past `after`, where all stores stand, up to `until`; durably.
// `step` is told of the bytes. `scratch`: a path for a file in between. kCorruption: a batch is
// damaged; the stores are somewhere in between then.
Status ReplayPieces(const std::vector<LogPiece>& pieces, std::uint64_t after, std::uint64_t until,
                    const std::vector<ReplayTarget>& targets, const std::string& scratch,
                    const ReadView::CopyStep& step);

}  // namespace switchback
