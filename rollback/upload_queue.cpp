#include "rollback/upload_queue.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "rollback/backup_manifest.hpp"

namespace switchback {
namespace {

constexpr const char* kDocument = "backup-uploads";

}  // namespace

Status UploadQueue::Load() {
  const auto text = journal_.Load(kDocument);
  if (!text) return Fail(text.error());
  ids_.clear();
  if (!*text) return {};
  const auto document = nlohmann::json::parse(**text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_array()) return {};
  for (const auto& id : document) {
    if (id.is_string() && IsValidBackupId(id.get_ref<const std::string&>()))
      ids_.push_back(id.get<std::string>());
  }
  return {};
}

Status UploadQueue::Add(const std::string& id) {
  if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return {};
  if (ids_.size() == kUploadsPendingMax) {
    LogWarning("backup {} will not be uploaded by itself: too many wait", ids_.front());
    ids_.erase(ids_.begin());
  }
  ids_.push_back(id);
  return Store();
}

Status UploadQueue::Remove(const std::string& id) {
  if (std::erase(ids_, id) == 0) return {};
  return Store();
}

Status UploadQueue::Store() {
  return journal_.Store(kDocument, nlohmann::json(ids_).dump());
}

}  // namespace switchback
