/* Switchback for C and for every language that can call C: records over LMDB and SQLite, in the
 * application's own process. docs/embedding.md goes through it.
 *
 *   switchback_options options = {0};
 *   switchback_db* db = NULL;
 *   options.size = sizeof options;
 *   options.data_dir = "/var/lib/app";
 *   if (switchback_open(&options, &db) != SWITCHBACK_OK) puts(switchback_error_message());
 *   switchback_put(db, "users", "alice", 5, "1", 1);
 *   switchback_close(db);
 *
 * Rules for every function, unless it says otherwise:
 * - It returns SWITCHBACK_OK or says what went wrong, and switchback_error_message() then tells it
 *   to a person. No exception leaves it.
 * - Any number of threads may call it at the same time, with the same switchback_db.
 * - It may block for the disk. A write returns once it is durable: kill -9 and power loss do not
 *   take it back. Errors of writes: READ_ONLY, BUSY, TOO_LARGE, NO_SPACE, IO: nothing was stored;
 *   UNKNOWN_OUTCOME: it may be found after the next switchback_open().
 * - What it takes it copies before it returns. What it gives through `void**` or `char**` is the
 *   caller's, who ends it with switchback_free().
 * - Outputs are set on SWITCHBACK_OK only; on errors pointers are set to NULL.
 * - NULL where something is needed is SWITCHBACK_INVALID_ARGUMENT, but for a db, batch or cursor
 *   that was closed or freed: using one is undefined, as with free(). So set your pointer to NULL.
 * - Keys and values are bytes, NUL among them. A key has 1 to 511 bytes (else INVALID_ARGUMENT), a
 *   value up to options.value_bytes_max (else TOO_LARGE). A NULL value of size 0 is an empty one.
 * - A collection is a named set of records, NUL-terminated: 1 to 64 of A-Z a-z 0-9 _ . -, begun by
 *   its first write; one that nobody has written to is empty.
 * - After fork() the child must not use any of it.
 */
#ifndef SWITCHBACK_H
#define SWITCHBACK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SWITCHBACK_API __attribute__((visibility("default")))
#else
#define SWITCHBACK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. Values never change; new ones may be added at the end: treat one that you do
 * not know as SWITCHBACK_INTERNAL. */
typedef enum switchback_code {
  SWITCHBACK_OK = 0,
  SWITCHBACK_INVALID_ARGUMENT = 1, /* the caller's input is wrong; nothing changed */
  SWITCHBACK_TOO_LARGE = 2,        /* past a named limit; nothing changed */
  SWITCHBACK_NOT_FOUND = 3,        /* a named thing does not exist; not used for absent records */
  SWITCHBACK_UNSUPPORTED = 4,      /* valid elsewhere, not here */
  SWITCHBACK_REFUSED = 5,          /* a safety check says no; the message says what is missing */
  SWITCHBACK_READ_ONLY = 6,        /* writes are refused for now; the message says why */
  SWITCHBACK_CONFLICT = 7,         /* somebody else has it: the directory, an operation */
  SWITCHBACK_BUSY = 8,             /* past a limit for now; trying again later is right */
  SWITCHBACK_UNAVAILABLE = 9,      /* no store can serve this */
  SWITCHBACK_NO_SPACE = 10,        /* disk, map or quota is full */
  SWITCHBACK_IO = 11,              /* the operating system refused */
  SWITCHBACK_UNKNOWN_OUTCOME = 12, /* a write failed half-way: it may or may not be on disk */
  SWITCHBACK_CORRUPTION = 13,      /* stored bytes are not what was written */
  SWITCHBACK_FOREIGN_WRITE = 14,   /* another process wrote to a store that is ours */
  SWITCHBACK_CANCELLED = 15,       /* closed, or closing */
  SWITCHBACK_INTERNAL = 16         /* a fault of ours; please report the message */
} switchback_code;

/* "refused", "busy": a word for logs. Static; never NULL. Does not block. */
SWITCHBACK_API const char* switchback_code_name(switchback_code code);

/* What the last call of this thread that failed had to say, with what to do next where that is
 * known; "" before the first. Owned by the library, valid until this thread's next call of a
 * function that returns a switchback_code. Other threads' errors do not touch it. Never blocks. */
SWITCHBACK_API const char* switchback_error_message(void);

/* The library's version, "0.1.0". Static. Does not block. */
SWITCHBACK_API const char* switchback_version(void);

/* Ends a buffer or text that one of the functions gave. NULL is fine. Does not block. */
SWITCHBACK_API void switchback_free(void* memory);

/* ---- Opening and closing ---- */

typedef struct switchback_db switchback_db;

enum {
  SWITCHBACK_ACK_LOG = 0,   /* a write is answered when it is durable in the commit log */
  SWITCHBACK_ACK_STORES = 1 /* ... and in every store that is in service, too: slower */
};

enum {
  SWITCHBACK_LOG_DEFAULT = 0, /* as SWITCHBACK_LOG_WARNING */
  SWITCHBACK_LOG_DEBUG = 1,
  SWITCHBACK_LOG_INFO = 2,
  SWITCHBACK_LOG_WARNING = 3,
  SWITCHBACK_LOG_ERROR = 4
};

/* Begin with all zero, then set `size`: what is 0 or NULL has its default. Later versions add
 * members at the end; `size` tells which of them the caller was compiled with. */
typedef struct switchback_options {
  size_t size;              /* sizeof(switchback_options) */
  const char* data_dir;     /* needed; made when it is missing */
  const char* legacy_path;  /* an LMDB environment to adopt as it is; NULL = one inside data_dir */
  const char* unified_path; /* the SQLite file; NULL = one inside data_dir */
  const char* flags_path;   /* NULL = <data_dir>/flags.json */
  int32_t ack;              /* SWITCHBACK_ACK_... */
  int32_t log_level;        /* SWITCHBACK_LOG_...: what goes to stderr, of the whole process */
  int32_t without_guard;    /* 1: nobody watches SQLite and sends keys back to LMDB by itself */
  int32_t reserved;         /* 0 */
  uint64_t value_bytes_max; /* of one value; 0 = 64 MiB */
  uint64_t memtable_bytes_max; /* of what a store has not applied yet; 0 = 128 MiB */
  uint64_t log_bytes_max;      /* of the commit log on disk; 0 = 8 GiB */
} switchback_options;

/* Opens the data directory, which belongs to this process alone until switchback_close(): takes its
 * lock, recovers from its log, follows its flags file and goes on with an interrupted migration.
 * Ready on return; after a crash it takes tenths of a second. `*db` is ended with
 * switchback_close().
 * Errors: CONFLICT (another process, or this one, has the directory: the message has the pid),
 * REFUSED (the stores belong to another directory, or it was detached), CORRUPTION, IO, NO_SPACE,
 * INVALID_ARGUMENT, UNSUPPORTED (an option that this version does not know). */
SWITCHBACK_API switchback_code switchback_open(const switchback_options* options,
                                               switchback_db** db);

/* Answers the writes that wait, leaves both stores complete and durable on their own, gives the
 * directory back, and ends `db` also when it returns an error. NULL is fine. Only once no other
 * thread is inside a call with this db or a cursor of it. Cursors may be freed later; using them
 * gives CANCELLED. */
SWITCHBACK_API switchback_code switchback_close(switchback_db* db);

/* ---- Records ---- */

/* Stores the value under the key, whatever was there. */
SWITCHBACK_API switchback_code switchback_put(switchback_db* db, const char* collection,
                                              const void* key, size_t key_size, const void* value,
                                              size_t value_size);

/* A copy of the value, with a NUL behind it that `*value_size` does not count. An absent record is
 * no error: `*value` is NULL then. The flag says which store answers; a read sees every write that
 * was acknowledged before it began, whichever that is. Never waits for writers.
 * Errors: UNAVAILABLE (no store is in sync), IO, CORRUPTION (of both stores). */
SWITCHBACK_API switchback_code switchback_get(switchback_db* db, const char* collection,
                                              const void* key, size_t key_size, void** value,
                                              size_t* value_size);

/* The values of `count` keys at one moment, in the order asked: each as from switchback_get(), to
 * be freed one by one. `values` and `value_sizes` have room for `count`. On an error all are NULL.
 * At most 65,536 keys (TOO_LARGE, and nothing is set). */
SWITCHBACK_API switchback_code switchback_get_many(switchback_db* db, const char* collection,
                                                   size_t count, const void* const* keys,
                                                   const size_t* key_sizes, void** values,
                                                   size_t* value_sizes);

/* Whether there is such a record: 1 or 0. Otherwise as switchback_get(). */
SWITCHBACK_API switchback_code switchback_exists(switchback_db* db, const char* collection,
                                                 const void* key, size_t key_size, int* exists);

/* Removes the record. `existed` may be NULL; else it tells whether there was one. */
SWITCHBACK_API switchback_code switchback_delete(switchback_db* db, const char* collection,
                                                 const void* key, size_t key_size, int* existed);

/* Writes `value` (NULL = removes the record) if the record's value is `expected` (NULL = there is
 * no record) at that moment: no other write comes between. To compare with the empty value, give a
 * pointer that is not NULL, and size 0; the same for storing it. `*swapped` tells whether it was
 * written; that it was not is no error. */
SWITCHBACK_API switchback_code switchback_compare_and_set(switchback_db* db, const char* collection,
                                                          const void* key, size_t key_size,
                                                          const void* expected,
                                                          size_t expected_size, const void* value,
                                                          size_t value_size, int* swapped);

/* How many records the collection has, exactly. In SQLite a pass over the table. */
SWITCHBACK_API switchback_code switchback_count(switchback_db* db, const char* collection,
                                                uint64_t* count);

/* ---- Batches: several writes, all of them or none ---- */

/* One thread at a time. */
typedef struct switchback_batch switchback_batch;

/* `*batch` is ended with switchback_batch_free(). Does not block. */
SWITCHBACK_API switchback_code switchback_batch_create(switchback_batch** batch);

/* Adds a write; nothing is stored yet. Does not block. On errors the batch is as before. TOO_LARGE:
 * past 128 MiB or 1,048,576 entries. */
SWITCHBACK_API switchback_code switchback_batch_put(switchback_batch* batch, const char* collection,
                                                    const void* key, size_t key_size,
                                                    const void* value, size_t value_size);
SWITCHBACK_API switchback_code switchback_batch_delete(switchback_batch* batch,
                                                       const char* collection, const void* key,
                                                       size_t key_size);

/* Adds a condition: the record's value must be `expected` (NULL = there must be no record) before
 * the batch, else nothing of it is written. Otherwise as switchback_batch_put(). */
SWITCHBACK_API switchback_code switchback_batch_expect(switchback_batch* batch,
                                                       const char* collection, const void* key,
                                                       size_t key_size, const void* expected,
                                                       size_t expected_size);

/* Checks the conditions and writes everything, in the order it was added, as one: nobody ever sees
 * a part of it, crash or not. The batch stays as it is and may be written again. `written` may be
 * NULL when there are no conditions; else it tells whether they held. */
SWITCHBACK_API switchback_code switchback_batch_write(switchback_db* db,
                                                      const switchback_batch* batch, int* written);

/* NULL is fine. Does not block. */
SWITCHBACK_API void switchback_batch_free(switchback_batch* batch);

/* ---- Scans ---- */

/* One thread at a time. Holds no snapshot between calls, so one may be left open for long. */
typedef struct switchback_cursor switchback_cursor;

/* The records whose keys begin with `prefix` (size 0 = all) and are >= `from` (size 0 = from the
 * first on), in the keys' bytewise order, at most `limit` (0 = all). Prefix and `from` have up to
 * 511 bytes. `*cursor` is ended with switchback_cursor_free(). Does not block. */
SWITCHBACK_API switchback_code switchback_scan(switchback_db* db, const char* collection,
                                               const void* prefix, size_t prefix_size,
                                               const void* from, size_t from_size, uint64_t limit,
                                               switchback_cursor** cursor);

/* The next record; `*key` is NULL when there is none any more. Key and value belong to the cursor
 * and are valid until the next call with it. Records are read in pages of up to 256 records or
 * about 1 MiB: a page shows one moment, and a later page shows what was written behind it
 * meanwhile. Every record that is there all the time is given exactly once. `value` and
 * `value_size` may be NULL. After an error the next call tries again. Errors: those of
 * switchback_get(), CANCELLED (the db was closed). */
SWITCHBACK_API switchback_code switchback_cursor_next(switchback_cursor* cursor, const void** key,
                                                      size_t* key_size, const void** value,
                                                      size_t* value_size);

/* NULL is fine; before or after switchback_close(). Does not block. */
SWITCHBACK_API void switchback_cursor_free(switchback_cursor* cursor);

/* ---- Flag, migration, rollback ---- */

/* What share of the keys unified (SQLite) answers, 0 to 100, and what share the flag asks for:
 * `*effective` is 0 while unified may not answer. Either may be NULL. Does not block. */
SWITCHBACK_API switchback_code switchback_get_percentage(switchback_db* db, double* effective,
                                                         double* desired);

/* Writes the flag USE_UNIFIED_DB_SERVICE into the flags file and puts it into force: 0 turns it
 * off. The file is the truth: an editor may do the same at any time, and is followed within about a
 * millisecond. Errors: REFUSED (unified is not ready, the message says what is missing, and the
 * file is as before), INVALID_ARGUMENT (not 0..100, or the file is not valid: correct it first),
 * UNSUPPORTED (a flagd document: edit it), BUSY (another writer), IO, NO_SPACE. */
SWITCHBACK_API switchback_code switchback_set_percentage(switchback_db* db, double percentage);

/* Reads the flags file now: on return its content is in force. Errors: why it is not, NOT_FOUND (no
 * file), REFUSED (unified may not answer). */
SWITCHBACK_API switchback_code switchback_reload_flags(switchback_db* db);

/* Sends every key to legacy (LMDB) at once and durably, whatever the flag says, then turns the flag
 * off in the file. No write is lost: both stores have every one. `reason` is kept in the history
 * and may be NULL. Returns when the file says off, too. Waits up to `wait_ms` for legacy to be in
 * sync. Errors: REFUSED (legacy is not in sync; nothing changed), IO and NO_SPACE (in force, but a
 * restart would forget it). */
SWITCHBACK_API switchback_code switchback_rollback_now(switchback_db* db, const char* reason,
                                                       uint32_t wait_ms);

/* Lets the flag decide again after the guard went back by itself (status: "latched"). NOT_FOUND:
 * nothing holds the keys on legacy. */
SWITCHBACK_API switchback_code switchback_rearm(switchback_db* db);

/* How everything stands, as a JSON object: version, stage, routing, followers, memtable, log,
 * writes, flags, migration, rollback, guard, latched. Members may be added. */
SWITCHBACK_API switchback_code switchback_status_json(switchback_db* db, char** json);

/* Begins to fill unified from legacy, in the background, while reads and writes go on; every record
 * is compared afterwards. No backup is made before. Errors: CONFLICT (one is under way), REFUSED
 * (unified is filled already, or legacy is not in sync). */
SWITCHBACK_API switchback_code switchback_migration_start(switchback_db* db);

/* Waits until the migration has come to an end, or `wait_ms` have passed. OK: unified holds every
 * record, and the flag may be switched on. Errors: BUSY (time has passed; it goes on), REFUSED (it
 * was paused, failed or was rolled back: the message says why), NOT_FOUND (there is none). */
SWITCHBACK_API switchback_code switchback_migration_wait(switchback_db* db, uint32_t wait_ms);

/* Stops copying for now, goes on, or gives up and removes what was copied. REFUSED where it makes
 * no sense. Repeating one does no harm. */
SWITCHBACK_API switchback_code switchback_migration_pause(switchback_db* db);
SWITCHBACK_API switchback_code switchback_migration_resume(switchback_db* db);
SWITCHBACK_API switchback_code switchback_migration_cancel(switchback_db* db);

/* How the migration stands, as a JSON object: state, percent, records_done, error, can_flip and
 * more. Members may be added. */
SWITCHBACK_API switchback_code switchback_migration_json(switchback_db* db, char** json);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SWITCHBACK_H */
