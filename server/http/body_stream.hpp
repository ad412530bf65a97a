// The body of an answer that goes on until one side has enough: what is sent is asked for piece by
// piece, when the client has taken the piece before.
#pragma once

#include <functional>
#include <string>

namespace switchback {

// All calls but `wake` come from the io thread, one at a time; none may block.
class BodyStream {
 public:
  virtual ~BodyStream() = default;

  struct Piece {
    std::string bytes;     // some tens of KiB at most; "" when there is nothing to send now
    bool is_last = false;  // the connection ends behind it
  };

  // Once, before all else. From then on `wake` is called, on any thread, when there is something to
  // take again. It only leaves word and may be called at any time, also after the stream's end.
  virtual void Open(std::function<void()> wake) = 0;
  virtual Piece Take() = 0;
  // What to send when nothing was sent for a while, so that both sides notice a dead connection.
  virtual std::string Heartbeat() = 0;
};

}  // namespace switchback
