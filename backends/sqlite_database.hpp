// What the SQLite backend (the writer) and its read views share: where the file is, whether it is
// open, which tables hold which collections, and the gate that parks readers.
#pragma once

#include <utility>

#include "backends/reader_gate.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_tables.hpp"

namespace switchback {

struct SqliteDatabase {
  SqliteDatabase(SqliteOptions the_options, CollectionCatalog& catalog)
      : options(std::move(the_options)), tables(catalog) {}

  SqliteOptions options;  // the path changes behind a closed gate only
  ReaderGate gate;
  SqliteTables tables;
  bool is_open = false;  // changes behind a closed gate only; readers look inside it
};

}  // namespace switchback
