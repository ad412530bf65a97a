import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Switchback from Java over HTTP, with nothing but the JDK (Debian: default-jdk-headless). Clients of Redis, such as
 * Jedis and Lettuce, go to the other port.
 *
 * <pre>java examples/java/Example.java [URL]</pre>
 */
public class Example {
  private static final String RECORDS = "/v1/collections/default/records";

  private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final String url;

  Example(String url) {
    this.url = url;
  }

  /** A key may hold any bytes: percent-encoded it is one part of the path. */
  private static String pathOf(String key) {
    return RECORDS + "/" + URLEncoder.encode(key, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private HttpRequest.Builder to(String path) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(30));
    String token = System.getenv("SWITCHBACK_TOKEN");
    if (token != null) request.header("Authorization", "Bearer " + token);
    return request;
  }

  /** The answer to a request that must end in one of these ways; the body of any other says what is wrong. */
  private HttpResponse<String> send(HttpRequest.Builder request, int... expected)
      throws IOException, InterruptedException {
    HttpResponse<String> answer = client.send(request.build(), BodyHandlers.ofString());
    for (int status : expected) {
      if (answer.statusCode() == status) return answer;
    }
    throw new IOException(answer.statusCode() + " " + answer.body());
  }

  private HttpResponse<String> get(String key) throws IOException, InterruptedException {
    HttpResponse<String> answer = send(to(pathOf(key)), 200, 404);
    String value = answer.statusCode() == 200 ? answer.body() : "(absent)";
    System.out.println(key + " = " + value + ", by " + answer.headers().firstValue("Switchback-Role").orElse("?"));
    return answer;
  }

  /** Stores what was computed from a value only while the record still holds that value. */
  private void compareAndSet(String key, String value, String etag) throws IOException, InterruptedException {
    HttpRequest.Builder request = to(pathOf(key))
        .header("Content-Type", "text/plain")
        .header("If-Match", etag)
        .PUT(BodyPublishers.ofString(value));
    boolean isStored = send(request, 204, 412).statusCode() == 204;
    System.out.println("set " + value + ": " + (isStored ? "stored" : "changed by another, read it again"));
  }

  /** One batch of the commit log: both stores get all of it, or nothing. With its key it may be sent again. */
  private void batch(String operations) throws IOException, InterruptedException {
    send(to("/v1/collections/default/batch")
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", UUID.randomUUID().toString())
        .POST(BodyPublishers.ofString("{\"operations\": [" + operations + "]}")), 200);
  }

  /** The keys that begin with `prefix`, in order: one record a line, behind them the path of the next page. */
  private void list(String prefix) throws IOException, InterruptedException {
    String path = RECORDS + "?limit=2&prefix=" + URLEncoder.encode(prefix, StandardCharsets.UTF_8);
    while (path != null) {
      HttpResponse<String> page = send(to(path).header("Accept", "application/x-ndjson"), 200);
      path = null;
      for (String line : page.body().lines().toList()) {
        String next = text(line, "next");
        if (next != null) path = next;
        else System.out.println("listed " + text(line, "key"));
      }
    }
  }

  /** A member of one line of JSON. Enough for the plain ASCII of this example: take a JSON library for your own. */
  private static String text(String json, String name) {
    Matcher found = Pattern.compile("\"" + name + "\": ?\"([^\"\\\\]*)\"").matcher(json);
    return found.find() ? found.group(1) : null;
  }

  void run() throws IOException, InterruptedException {
    send(to(pathOf("java:alice"))
        .header("Content-Type", "text/plain")
        .header("If-None-Match", "*")
        .PUT(BodyPublishers.ofString("1")), 201);
    String etag = get("java:alice").headers().firstValue("ETag").orElseThrow();
    compareAndSet("java:alice", "2", etag);
    compareAndSet("java:alice", "3", etag);
    get("java:alice");

    batch("""
        {"op": "put", "key": "java:bob", "value": "7"},
        {"op": "put", "key": "java:carol", "value_json": {"age": 42}},
        {"op": "put", "key": "java:dora", "value": "9"},
        {"op": "delete", "key": "java:alice"}""");
    get("java:alice");
    get("java:carol");
    list("java:");
  }

  public static void main(String[] arguments) throws InterruptedException {
    try {
      new Example(arguments.length > 0 ? arguments[0] : "http://127.0.0.1:8080").run();
    } catch (IOException error) {
      System.err.println("no answer that helps: " + error);
      System.exit(1);
    }
  }
}
