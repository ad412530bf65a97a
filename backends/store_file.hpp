// A store's file that nobody has open: looked at read-only, page by page and record by record.
// Nothing is written, neither into the file nor beside it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "backends/collection_digest.hpp"

namespace switchback {

struct StoreFileReport {
  StoreState state;
  // LMDB: the newest commit is not the one that wrote the state. So it is in a backup, too.
  bool is_foreign = false;
  std::uint64_t schema_version = 0;           // SQLite: the newest version; else 0
  std::vector<CollectionDigest> collections;  // those with records, sorted by name
};

enum class StoreFileCheck : std::uint8_t {
  kState,     // that it opens, and where it stands; no collections in the report
  kRecords,   // every record; for the rest see CheckStoreStructure
  kQuick,     // structure and every record
  kThorough,  // SQLite: besides, whether indexes and tables agree
};

// `engine` is Backend::engine(). `step` is told what was read, as ReadView::CopyTo tells it.
// The file must be one whose bytes are trusted: LMDB does not defend itself against made-up pages.
// Errors: kCorruption (with what is wrong), kNotFound, kIo, kUnsupported (engine), those of `step`.
Result<StoreFileReport> InspectStoreFile(std::string_view engine, const std::string& path,
                                         StoreFileCheck check, const ReadView::CopyStep& step);

// What kQuick adds to kRecords, for those who have two processors: SQLite's quick_check. Of LMDB
// nothing is left, each page was walked. Errors: kCorruption, kIo, kUnsupported.
Status CheckStoreStructure(std::string_view engine, const std::string& path);

// The same digests of a snapshot that is held.
Result<std::vector<CollectionDigest>> DigestCollections(ReadView& view, CollectionCatalog& catalog,
                                                        const ReadView::CopyStep& step);

}  // namespace switchback
