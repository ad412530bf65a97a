/* Switchback inside a C program, without a server.
 *
 *   cc -std=c99 examples/c-embed/example.c -o example $(pkg-config --cflags --libs switchback) && ./example DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchback.h>

/* Ends the program when a call has failed. */
static void check(switchback_code code, const char *doing) {
  if (code == SWITCHBACK_OK) return;
  fprintf(stderr, "%s: %s: %s\n", doing, switchback_code_name(code), switchback_error_message());
  exit(EXIT_FAILURE);
}

static void put(switchback_db *db, const char *key, const char *value) {
  check(switchback_put(db, "users", key, strlen(key), value, strlen(value)), "put");
}

static void show(switchback_db *db, const char *key) {
  double percentage = 0;
  void *value = NULL;
  size_t size = 0;
  check(switchback_get_percentage(db, &percentage, NULL), "percentage");
  check(switchback_get(db, "users", key, strlen(key), &value, &size), "get");
  printf("%s answers %s = %s\n", percentage > 0 ? "unified" : "legacy", key,
         value == NULL ? "(absent)" : (const char *)value);
  switchback_free(value);
}

/* Ten from alice to bob, or nothing: only if alice still has what was read. */
static void transfer(switchback_db *db) {
  switchback_batch *batch = NULL;
  int written = 0;
  check(switchback_batch_create(&batch), "batch");
  check(switchback_batch_expect(batch, "users", "alice", 5, "100", 3), "expect");
  check(switchback_batch_put(batch, "users", "alice", 5, "90", 2), "batch put");
  check(switchback_batch_put(batch, "users", "bob", 3, "10", 2), "batch put");
  check(switchback_batch_write(db, batch, &written), "batch write");
  printf("transferred: %s\n", written ? "yes" : "no");
  switchback_batch_free(batch);
}

static void list(switchback_db *db) {
  switchback_cursor *cursor = NULL;
  const void *key = NULL;
  const void *value = NULL;
  size_t key_size = 0;
  size_t value_size = 0;
  check(switchback_scan(db, "users", NULL, 0, NULL, 0, 100, &cursor), "scan");
  for (;;) {
    check(switchback_cursor_next(cursor, &key, &key_size, &value, &value_size), "next");
    if (key == NULL) break;
    printf("  %.*s = %.*s\n", (int)key_size, (const char *)key, (int)value_size, (const char *)value);
  }
  switchback_cursor_free(cursor);
}

int main(int argc, char **argv) {
  switchback_options options = {0};
  switchback_db *db = NULL;
  if (argc != 2) {
    fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  options.size = sizeof options;
  options.data_dir = argv[1];
  check(switchback_open(&options, &db), "open");

  put(db, "alice", "100");
  show(db, "alice");
  check(switchback_set_percentage(db, 100), "to SQLite");
  show(db, "alice");
  transfer(db);
  transfer(db);
  list(db);

  /* Back to LMDB, with everything that was written meanwhile. */
  check(switchback_rollback_now(db, "the example is over", 1000), "rollback");
  show(db, "bob");
  check(switchback_close(db), "close");
  return EXIT_SUCCESS;
}
