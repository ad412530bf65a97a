#include <algorithm>

#include "server/http/console_files.hpp"
#include "server/http/handlers.hpp"

namespace switchback {
namespace {

// Everything comes from this server, and nothing is run that is not a file of it: a key or a note
// that holds markup stays text even where a page would forget to treat it so.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

// Whether `list`, a header such as "gzip, br;q=0.5", holds `name` and does not refuse it.
bool Names(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (!part.starts_with(name)) continue;
    const std::string_view rest = part.substr(name.size());
    if (rest.empty() || rest.starts_with(' ')) return true;
    if (rest.starts_with(';')) return !rest.ends_with("q=0");
  }
  return false;
}

}  // namespace

HttpResponse HandleConsoleFile(const ConsoleFile& file, const HttpRequest& request) {
  HttpResponse response;
  response.content_type = file.content_type;
  // Asked for again each time, so that pages and server are of one version; unchanged ones cost a
  // header.
  response.headers = {{"Cache-Control", "no-cache"},
                      {"ETag", std::string(file.etag)},
                      {"Vary", "Accept-Encoding"},
                      {"Content-Security-Policy", kContentPolicy},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Frame-Options", "DENY"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}};
  if (Names(request.Header("if-none-match"), file.etag)) {
    response.status = 304;
    return response;
  }
  const bool is_compressed = Names(request.Header("accept-encoding"), "gzip");
  if (is_compressed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = is_compressed ? file.gzip : file.content;
  return response;
}

}  // namespace switchback
