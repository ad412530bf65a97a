// What the handles of the C interface are.
#pragma once

#include <memory>

#include "server/capi/call.hpp"
#include "server/capi/embedded.hpp"

// Cursors have weak pointers to the service, so that one which is used after switchback_close() is
// told so, and does not keep the directory.
struct switchback_db {
  std::shared_ptr<switchback::Embedded> embedded;
};

namespace switchback::capi {

// Error for NULL; else the service of the handle.
inline Result<Embedded*> ServiceOf(switchback_db* db) {
  SB_RETURN_IF_ERROR(CheckGiven(db, "db"));
  return db->embedded.get();
}

// For a read: nullptr where nobody has written to it, so that reads of invented names do not fill
// the catalog. kInvalidArgument.
Result<const Collection*> CollectionToRead(Embedded& embedded, const char* name);
// For a write: made known. Also kTooLarge.
Result<const Collection*> CollectionToWrite(Embedded& embedded, const char* name);
// The name alone.
Status CheckCollectionName(const char* name);

}  // namespace switchback::capi
