#include "rollback/s3_answers.hpp"

#include <charconv>
#include <optional>
#include <pugixml.hpp>
#include <sstream>

namespace switchback {
namespace {

constexpr std::size_t kMessageBytesMax = 300;

Result<pugi::xml_node> Root(pugi::xml_document& document, std::string_view xml, const char* name) {
  const auto parsed = document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node root = document.child(name);
  if (parsed && root) return root;
  return Fail(ErrorCode::kCorruption,
              std::string("the target's answer is no ") + name + " document");
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text.substr(0, kMessageBytesMax)) printable += c >= ' ' && c < 127 ? c : '?';
  return printable;
}

bool IsTruncated(const pugi::xml_node& root) {
  return std::string_view(root.child_value("IsTruncated")) == "true";
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string_view WithoutQuotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    return etag.substr(1, etag.size() - 2);
  return etag;
}

S3Failure ParseS3Failure(std::string_view xml) {
  pugi::xml_document document;
  const auto root = Root(document, xml, "Error");
  if (!root) return {};
  return {Printable(root->child_value("Code")), Printable(root->child_value("Message"))};
}

Result<S3ObjectPage> ParseS3Objects(std::string_view xml) {
  pugi::xml_document document;
  const auto root = Root(document, xml, "ListBucketResult");
  if (!root) return Fail(root.error());
  S3ObjectPage page;
  for (const pugi::xml_node object : root->children("Contents"))
    page.keys.emplace_back(object.child_value("Key"));
  if (IsTruncated(*root)) page.next = root->child_value("NextContinuationToken");
  return page;
}

Result<S3UploadPage> ParseS3Uploads(std::string_view xml) {
  pugi::xml_document document;
  const auto root = Root(document, xml, "ListMultipartUploadsResult");
  if (!root) return Fail(root.error());
  S3UploadPage page;
  for (const pugi::xml_node upload : root->children("Upload"))
    page.uploads.push_back({upload.child_value("Key"), upload.child_value("UploadId")});
  page.is_truncated = IsTruncated(*root);
  page.next_key = root->child_value("NextKeyMarker");
  page.next_id = root->child_value("NextUploadIdMarker");
  return page;
}

Result<S3PartPage> ParseS3Parts(std::string_view xml) {
  pugi::xml_document document;
  const auto root = Root(document, xml, "ListPartsResult");
  if (!root) return Fail(root.error());
  S3PartPage page;
  for (const pugi::xml_node part : root->children("Part")) {
    const auto number = ParseNumber<std::uint32_t>(part.child_value("PartNumber"));
    const auto bytes = ParseNumber<std::uint64_t>(part.child_value("Size"));
    // What cannot be read is not relied on: it is sent again.
    if (number && bytes)
      page.parts[*number] = {std::string(WithoutQuotes(part.child_value("ETag"))), *bytes};
  }
  if (IsTruncated(*root)) page.next = root->child_value("NextPartNumberMarker");
  return page;
}

Result<std::string> ParseS3UploadId(std::string_view xml) {
  pugi::xml_document document;
  const auto root = Root(document, xml, "InitiateMultipartUploadResult");
  if (!root) return Fail(root.error());
  std::string id = root->child_value("UploadId");
  if (id.empty()) return Fail(ErrorCode::kCorruption, "the target gave an upload no id");
  return id;
}

bool IsS3UploadComplete(std::string_view xml) {
  pugi::xml_document document;
  return Root(document, xml, "CompleteMultipartUploadResult").has_value();
}

std::string S3CompleteBody(const std::vector<std::string>& etags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  int number = 0;
  for (const std::string& etag : etags) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(++number);
    part.append_child("ETag").text().set(("\"" + etag + "\"").c_str());
  }
  std::ostringstream text;
  document.save(text, "", pugi::format_raw);
  return text.str();
}

}  // namespace switchback
