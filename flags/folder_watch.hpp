// Tells when a file may have changed, by watching the folders that lead to it.
//
// The folder and not the file: a rename over the file ends a watch on the file itself, and editors,
// deployment tools and Kubernetes all replace files by renames. When the path is a symbolic link,
// the folder of each link and of the target is watched too. Kubernetes swaps the link `..data`
// beside the file, so anything on that name counts.
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/file.hpp"

namespace switchback {

enum class FolderEvent {
  kNone,
  kTouched,  // something began: look again after a moment of quiet
  kReady,    // a write was finished or a file moved in: read now
};

// Used by one thread. Blocks never. Without inotify (remote file systems, no instances left) it
// reports nothing; its owner must poll the file beside it, which it must anyhow.
class FolderWatch {
 public:
  // `path` is the file. Begins with nothing watched: call Arm().
  explicit FolderWatch(std::string path);

  // For poll(2): readable when events wait. -1 without inotify.
  [[nodiscard]] int fd() const { return inotify_.get(); }

  // Watches what leads to the file now: call it before each read of the file, so that no change
  // falls between. Cheap when nothing moved. A folder that is missing is passed over until the next
  // call.
  void Arm();

  // Takes all waiting events and returns the most urgent. A queue that overflowed counts as kReady.
  FolderEvent Drain();

  // True when the file's own folder is being watched.
  [[nodiscard]] bool is_armed() const { return !watches_.empty(); }

 private:
  // One folder's watch descriptor into `found`; nothing when the folder cannot be watched.
  void Watch(const std::string& folder, std::set<int>& found);
  FolderEvent Judge(int watch, std::uint32_t mask, const std::string& name);

  std::string path_;
  UniqueFd inotify_;
  std::set<int> watches_;
  std::set<std::string> names_;  // of the file, of links on the way, of ..data
};

}  // namespace switchback
