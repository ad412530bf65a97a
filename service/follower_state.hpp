// The states of a follower and the edges between them.
//
//   detached ──────> backfilling ──────> catching-up <────> in-sync
//      ^  │               │                 │   ^              │
//      │  └───────────────┼─────────────────┘   └── failed <───┘
//      └──────────────────┴─────────────────────────┘
//
// (1) Only a follower that is in sync answers reads, and it is in sync exactly while the memtable
// covers it. (2) detached: the store cannot be brought up from the log; only a fill brings it back.
// It does not hold the log. (3) failed: the store misbehaved; it is reopened, asked for its
// position, and catches up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "service/db_service.hpp"

namespace switchback {

constexpr std::uint8_t To(FollowerState state) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(state));
}

struct FollowerRule {
  FollowerState state;
  const char* name;
  std::uint8_t next;  // states it may move to
};

inline constexpr std::array<FollowerRule, 5> kFollowerRules{{
    {FollowerState::kDetached, "detached",
     static_cast<std::uint8_t>(To(FollowerState::kBackfilling) | To(FollowerState::kCatchingUp))},
    {FollowerState::kBackfilling, "backfilling",
     static_cast<std::uint8_t>(To(FollowerState::kCatchingUp) | To(FollowerState::kDetached) |
                               To(FollowerState::kFailed))},
    {FollowerState::kCatchingUp, "catching-up",
     static_cast<std::uint8_t>(To(FollowerState::kInSync) | To(FollowerState::kDetached) |
                               To(FollowerState::kFailed))},
    {FollowerState::kInSync, "in-sync",
     static_cast<std::uint8_t>(To(FollowerState::kCatchingUp) | To(FollowerState::kFailed))},
    {FollowerState::kFailed, "failed",
     static_cast<std::uint8_t>(To(FollowerState::kCatchingUp) | To(FollowerState::kDetached) |
                               To(FollowerState::kBackfilling))},
}};

constexpr bool MayMove(FollowerState from, FollowerState to) {
  return (kFollowerRules[static_cast<std::size_t>(from)].next & To(to)) != 0;
}

}  // namespace switchback
