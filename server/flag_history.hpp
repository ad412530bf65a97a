// Keeps in the history what the flags file came to say, whoever wrote it: a person with an editor,
// a command while no server ran, the server itself.
#pragma once

#include <string>

#include "flags/flag_snapshot.hpp"
#include "migration/journal.hpp"

namespace switchback {

// One thread at a time.
class FlagHistory {
 public:
  // `journal` outlives it.
  explicit FlagHistory(Journal& journal) : journal_(journal) {}

  // Of each load; blocks for the journal when the content is another one than that noted last,
  // which may have been before a restart.
  void OnLoad(const FlagSnapshot& flags);

 private:
  Journal& journal_;
  std::string noted_;  // what the journal says; "" = not asked yet
};

}  // namespace switchback
