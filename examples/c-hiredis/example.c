/* Switchback from C, by hiredis (Debian: libhiredis-dev).
 *
 *   cc examples/c-hiredis/example.c -o example $(pkg-config --cflags --libs hiredis) && ./example [PORT]
 */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the answer, and ends the program when there is none. */
static void show(const char *name, redisContext *context, redisReply *reply) {
  if (reply == NULL) {
    fprintf(stderr, "%s: %s\n", name, context->errstr);
    exit(EXIT_FAILURE);
  }
  switch (reply->type) {
    case REDIS_REPLY_INTEGER: printf("%s %lld\n", name, reply->integer); break;
    case REDIS_REPLY_NIL: printf("%s (absent)\n", name); break;
    case REDIS_REPLY_ARRAY: printf("%s %zu answers\n", name, reply->elements); break;
    default: printf("%s %s\n", name, reply->str); break;
  }
  freeReplyObject(reply);
}

int main(int argc, char **argv) {
  const int port = argc > 1 ? atoi(argv[1]) : 6380;
  redisContext *context = redisConnect("127.0.0.1", port);
  if (context == NULL || context->err) {
    fprintf(stderr, "connect: %s\n", context == NULL ? "no memory" : context->errstr);
    return EXIT_FAILURE;
  }

  show("set", context, redisCommand(context, "SET %s %s", "c:alice", "1"));
  show("incr", context, redisCommand(context, "INCR c:alice"));

  /* Keys and values are bytes: %b takes a length. */
  const char bytes[] = {'a', '\0', 'b'};
  show("set", context, redisCommand(context, "SET c:bytes %b", bytes, sizeof bytes));
  show("strlen", context, redisCommand(context, "STRLEN c:bytes"));

  /* Sent together, answered in order: one sync of the disk serves them all. */
  redisAppendCommand(context, "MULTI");
  redisAppendCommand(context, "SET c:bob 7");
  redisAppendCommand(context, "DEL c:alice");
  redisAppendCommand(context, "EXEC");
  const char *const names[] = {"multi", "set", "del", "exec"};
  for (int i = 0; i < 4; ++i) {
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK) reply = NULL;
    show(names[i], context, reply);
  }
  show("get", context, redisCommand(context, "GET c:alice"));

  redisFree(context);
  return EXIT_SUCCESS;
}
