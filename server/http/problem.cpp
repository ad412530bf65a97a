#include "server/http/problem.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/errors.hpp"
#include "server/http/json_text.hpp"

namespace switchback {
namespace {

HttpResponse Render(unsigned status, const nlohmann::ordered_json& document) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = JsonText(document);
  return response;
}

nlohmann::ordered_json Document(unsigned status, std::string_view kind, std::string_view detail) {
  return {{"type", std::string(kProblemTypePrefix) + std::string(kind)},
          {"title", HttpReason(status)},
          {"status", status},
          {"detail", detail}};
}

}  // namespace

HttpResponse ProblemResponse(unsigned status, std::string_view kind, std::string_view detail) {
  return Render(status, Document(status, kind, detail));
}

HttpResponse ProblemResponse(const Error& error) {
  std::string kind = ErrorCodeName(error.code);
  std::replace(kind.begin(), kind.end(), '_', '-');
  return ProblemResponse(static_cast<unsigned>(HttpStatus(error.code)), kind, error.message);
}

HttpResponse ProblemResponse(unsigned status, std::string_view kind, std::string_view detail,
                             std::string_view member, const std::vector<std::string>& values) {
  auto document = Document(status, kind, detail);
  document[std::string(member)] = values;
  return Render(status, document);
}

std::string_view HttpReason(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return "Error";
  }
}

}  // namespace switchback
