#include "server/access/token_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "common/file.hpp"
#include "common/sha256.hpp"
#include "common/text.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, what);
}

bool IsDigest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return text.size() >= kTokenBytesMin && text.size() <= 4096 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

std::string TextOf(const Json& entry, const char* member) {
  const Json value = entry.value(member, Json());
  return value.is_string() ? value.get<std::string>() : "";
}

Result<NamedToken> ParseEntry(const Json& entry) {
  if (!entry.is_object()) return Wrong("must be an object");
  for (const auto& [name, value] : entry.items()) {
    if (name != "name" && name != "role" && name != "sha256" && name != "token" &&
        name != "comment")
      return Wrong("unknown member \"" + Printable(name) + "\"");
  }
  NamedToken token;
  token.name = TextOf(entry, "name");
  if (!IsTokenName(token.name))
    return Wrong(
        "\"name\" must have 1 to 64 of the characters A-Z a-z 0-9 _ . @ - and not be "
        "\"default\"");
  const auto role = ParseAccessRole(TextOf(entry, "role"));
  if (!role) return Wrong("\"role\" must be \"viewer\", \"operator\" or \"admin\"");
  token.role = *role;
  if (entry.contains("sha256") == entry.contains("token"))
    return Wrong("one of \"sha256\" and \"token\" must be there");
  const std::string secret = TextOf(entry, "token");
  token.digest = entry.contains("token") ? Sha256Hex(secret) : TextOf(entry, "sha256");
  if (entry.contains("token") && !IsToken(secret))
    return Wrong("\"token\" must have at least " + std::to_string(kTokenBytesMin) +
                 " visible characters: `switchback token new` makes one");
  if (!IsDigest(token.digest)) return Wrong("\"sha256\" must be 64 lower-case hexadecimal digits");
  return token;
}

Status CheckMode(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FailErrno("stat " + path, errno);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorCode::kRefused, path + " is not a plain file");
  if ((info.st_mode & 077) != 0)
    return Fail(ErrorCode::kRefused, path + " can be read by others: chmod 600 it");
  return {};
}

}  // namespace

bool IsTokenName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name != "default" &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '@' || c == '-';
         });
}

Result<std::vector<NamedToken>> ParseTokens(std::string_view json) {
  const auto document = ParseStrictJson(json);
  // What a parser says of wrong text repeats a part of it.
  if (!document) return Wrong("is not JSON, or has a member twice");
  if (!document->is_object() || document->size() != 1 || !document->contains("tokens") ||
      !(*document)["tokens"].is_array())
    return Wrong("must be one JSON object with the list \"tokens\" and nothing else");
  const Json& list = (*document)["tokens"];
  if (list.size() > kNamedTokenCountMax)
    return Wrong("more than " + std::to_string(kNamedTokenCountMax) + " tokens");
  std::vector<NamedToken> tokens;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto token = ParseEntry(list[i]);
    if (!token) return Fail(WithContext(token.error(), "token " + std::to_string(i + 1)));
    if (!seen.insert(token->name).second || !seen.insert("=" + token->digest).second)
      return Wrong("token " + std::to_string(i + 1) + ": its name or the token is there twice");
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

Result<std::vector<NamedToken>> LoadTokenFile(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return FailErrno("open " + path, errno);
  SB_RETURN_IF_ERROR(CheckMode(file.get(), path));
  const auto text =
      ReadWholeFile("/proc/self/fd/" + std::to_string(file.get()), kTokenFileBytesMax);
  if (!text) return Fail(WithContext(text.error(), path));
  auto tokens = ParseTokens(*text);
  if (!tokens) return Fail(WithContext(tokens.error(), path));
  return tokens;
}

Result<std::string> NewToken() {
  std::string bytes(32, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return FailErrno("get random bytes", errno);
  std::string token = EncodeBase64(bytes);
  std::replace(token.begin(), token.end(), '+', '-');
  std::replace(token.begin(), token.end(), '/', '_');
  while (token.ends_with('=')) token.pop_back();
  return token;
}

std::string TokenFileLine(const std::string& name, AccessRole role, const std::string& token) {
  return Json{{"name", name}, {"role", AccessRoleName(role)}, {"sha256", Sha256Hex(token)}}.dump();
}

}  // namespace switchback
