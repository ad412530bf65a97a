// Work in a child process: an engine that meets a damaged page may kill the process it runs in, and
// LMDB's reads of a file that was cut off do (SIGBUS).
#pragma once

#include <functional>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// What the child says to its parent, a frame at a time. In the child only.
class ApartWriter {
 public:
  explicit ApartWriter(int fd) : fd_(fd) {}
  // Blocks until the parent has room for it. At most 4 GiB.
  [[nodiscard]] Status Write(std::string_view frame) const { return Send('d', frame); }

 private:
  friend class ApartChild;
  [[nodiscard]] Status Send(char kind, std::string_view frame) const;
  int fd_;
};

// Runs `work` in a child of this process and `take` here, with each frame in order. The child ends
// with this call, and with this process. Call it from a process without other threads that hold
// locks. Errors: those of `work`, those of `take` (the child is ended at once), kCorruption when
// the child died, with the signal; kIo.
Status RunApart(const std::function<Status(const ApartWriter&)>& work,
                const std::function<Status(std::string_view frame)>& take);

}  // namespace switchback
