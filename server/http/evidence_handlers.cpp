#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "rollback/evidence.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSuffix = ".tar.zst";
// What one answer may hold in memory; bundles have some tens of KiB.
constexpr std::size_t kBundleBytesMax = 64u << 20;
constexpr std::size_t kNameBytesMax = 200;

std::string DirectoryOf(const ControlPlaneParts& parts) {
  return parts.identity.data_dir + "/evidence";
}

// Names are chosen by us: anything else would lead out of the directory or nowhere.
bool IsBundleName(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_plain);
}

}  // namespace

HttpResponse HandleEvidenceList(const ControlPlaneParts& parts) {
  const std::string directory = DirectoryOf(parts);
  Json bundles = Json::array();
  for (const std::string& name : ListEvidence(directory)) {
    std::error_code error;
    const auto bytes =
        std::filesystem::file_size(directory + "/" + name + std::string(kSuffix), error);
    if (error) continue;  // it is being made, or goes
    bundles.push_back({{"name", name}, {"bytes", bytes}, {"path", "/v1/evidence/" + name}});
  }
  HttpResponse response;
  response.body = JsonText(
      Json{{"directory", directory}, {"count", bundles.size()}, {"evidence", std::move(bundles)}});
  return response;
}

HttpResponse HandleEvidenceGet(const ControlPlaneParts& parts, const std::string& name) {
  std::string_view bundle = name;
  if (bundle.ends_with(kSuffix)) bundle.remove_suffix(kSuffix.size());
  if (!IsBundleName(bundle))
    return ProblemResponse({ErrorCode::kInvalidArgument,
                            "that is not the name of evidence: GET /v1/evidence has them"});
  const std::string file = std::string(bundle) + std::string(kSuffix);
  auto content = ReadWholeFile(DirectoryOf(parts) + "/" + file, kBundleBytesMax);
  if (!content && content.error().code == ErrorCode::kNotFound)
    return ProblemResponse({ErrorCode::kNotFound, "there is no evidence " + std::string(bundle) +
                                                      ": GET /v1/evidence has the newest"});
  if (!content) return ProblemResponse(content.error());
  HttpResponse response;
  response.content_type = "application/zstd";
  response.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + file + "\"");
  response.body = *std::move(content);
  return response;
}

}  // namespace switchback
