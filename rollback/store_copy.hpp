// A store made from the other one's records: what restores both halves from one.
#pragma once

#include <string>
#include <string_view>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// Where the store of `engine` lies in an ordinary directory: "lmdb" is an environment's directory.
Result<std::unique_ptr<Backend>> OpenStoreAt(std::string_view engine, const std::string& path,
                                             CollectionCatalog& catalog);

// Makes the store at `path`, a copy of another, one that Switchback has committed to itself,
// durably, so that going over to it takes no time for that. Nobody else has it open.
Status AdoptStore(std::string_view engine, const std::string& path);

// Copies every record and the state of the store at `from` into a new one at `to`, durably. Nobody
// else has either open. `step` is told of the bytes, as ReadView::CopyTo tells it.
Status CopyStore(std::string_view from_engine, const std::string& from, std::string_view to_engine,
                 const std::string& to, const ReadView::CopyStep& step);

}  // namespace switchback
