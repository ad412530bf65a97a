#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "server/http/query.hpp"
#include "server/transfer/export_source.hpp"

namespace switchback {
namespace {

// A page may be 4 MiB of values, in JSON, from a disk.
constexpr std::chrono::seconds kPageTimeMax{60};
constexpr const char* kPageLimit = "1000";

tl::unexpected<Error> Strange() {
  return Fail(ErrorCode::kInternal,
              "the server's answer is no page of records: is its version another one?");
}

class ServerSource final : public ExportSource {
 public:
  ServerSource(ServerApi api, std::optional<Role> role) : api_(std::move(api)), role_(role) {}

  Result<std::vector<ExportCollection>> Collections() override {
    const auto answer = api_.Get("/v1/collections");
    if (!answer) return Fail(answer.error());
    std::vector<ExportCollection> all;
    for (const auto& entry : answer->value("collections", nlohmann::ordered_json::array())) {
      ExportCollection one{entry.value("name", ""), std::nullopt};
      if (entry.contains("records") && entry["records"].is_number())
        one.records = entry["records"].get<std::uint64_t>();
      all.push_back(std::move(one));
    }
    return all;
  }

  Status ForEach(const std::string& collection, const std::string& prefix,
                 const Visitor& visit) override {
    const std::string root = "/v1/collections/" + collection + "/records";
    std::string path = root + "?prefix=" + PercentEncode(prefix) + "&limit=" + kPageLimit +
                       "&values=true" + RoleParameter('&');
    while (!path.empty()) {
      const auto text = api_.GetBytes(path, kPageTimeMax);
      if (!text) return Fail(text.error());
      // Not the strict parser: a page is large, and our own server made it.
      const auto page = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
      if (!page.is_object() || !page.contains("records")) return Strange();
      for (const auto& record : page["records"])
        SB_RETURN_IF_ERROR(VisitRecord(root, record, visit));
      const auto next = page.find("next");
      path = next != page.end() && next->is_string() ? next->get<std::string>() : "";
    }
    return {};
  }

  [[nodiscard]] std::string Describe() const override {
    return role_ ? std::string("the store ") + RoleName(*role_) + ", page by page"
                 : "the running server, page by page";
  }

 private:
  // The bytes of `name`, or of its base64 form; nullopt when neither is there.
  static std::optional<std::string> BytesOf(const nlohmann::json& record, const char* name) {
    if (const auto text = record.find(name); text != record.end() && text->is_string())
      return text->get<std::string>();
    const auto encoded = record.find(std::string(name) + "_base64");
    if (encoded == record.end() || !encoded->is_string()) return std::nullopt;
    return DecodeBase64(encoded->get_ref<const std::string&>());
  }

  Status VisitRecord(const std::string& root, const nlohmann::json& record, const Visitor& visit) {
    const auto key = BytesOf(record, "key");
    if (!key) return Strange();
    if (!record.value("is_left_out", false)) {
      const auto value = BytesOf(record, "value");
      return value ? visit(*key, *value) : Status(Strange());
    }
    const auto value =
        api_.GetBytes(root + "/" + PercentEncode(*key) + RoleParameter('?'), kPageTimeMax);
    if (value) return visit(*key, *value);
    // Deleted since the page was made.
    return value.error().code == ErrorCode::kNotFound ? Status() : Status(Fail(value.error()));
  }

  [[nodiscard]] std::string RoleParameter(char separator) const {
    return role_ ? separator + std::string("role=") + RoleName(*role_) : "";
  }

  const ServerApi api_;
  const std::optional<Role> role_;
};

}  // namespace

std::unique_ptr<ExportSource> NewServerSource(ServerApi api, std::optional<Role> role) {
  return std::make_unique<ServerSource>(std::move(api), role);
}

}  // namespace switchback
