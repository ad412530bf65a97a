#include "server/http/actor.hpp"

#include <nlohmann/json.hpp>

#include "flags/strict_json.hpp"
#include "server/http/body.hpp"
#include "server/http/json_text.hpp"

namespace switchback {

Result<std::string> BodyWithActor(std::string_view body, std::string_view token_name) {
  const bool is_empty = body.find_first_not_of(" \t\r\n") == std::string_view::npos;
  auto document = ParseStrictJson(is_empty ? std::string_view("{}") : body);
  if (!document || !document->is_object()) return std::string(body);
  std::string note;
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", note));
  std::string actor(token_name);
  if (!note.empty()) actor += " (" + Printable(note) + ")";
  (*document)["actor"] = actor;
  return JsonText(*document);
}

}  // namespace switchback
