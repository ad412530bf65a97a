// Every store in service at one batch of the log: what a backup copies.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backends/backend.hpp"
#include "service/role.hpp"

namespace switchback {

// Movable. The service that made it outlives it. Each view is for one thread at a time, different
// views may be used by different threads.
struct PinnedStores {
  // Runs what it was given when it goes.
  struct Release {
    void operator()(std::function<void()>* let_go) const {
      (*let_go)();
      delete let_go;
    }
  };

  std::string log_id;
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;  // content of each view = fold(effects 1..sequence), by I2
  // By role, with an active snapshot; null for a store that is not in service. End a view as soon
  // as it is copied.
  std::array<std::unique_ptr<ReadView>, kRoleCount> views;
  std::array<std::string, kRoleCount> absences;  // why a view is null; "" where there is one
  // Lets the stores go on; the last member, so that it goes first.
  std::unique_ptr<std::function<void()>, Release> release;

  [[nodiscard]] ReadView* view(Role role) const { return views[Index(role)].get(); }
};

}  // namespace switchback
