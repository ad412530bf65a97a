// Sends a BodyStream over a connection whose header is sent already. One piece is under way at a
// time, so a client that does not read costs one piece of memory; past the time for one it is
// dropped. Include only in server/http/*.cpp (Beast).
#pragma once

#include <array>
#include <memory>
#include <string>

#include "server/http/body_stream.hpp"
#include "server/http/door_stream.hpp"
#include "server/http/http_session.hpp"
#include "server/net.hpp"

namespace switchback {

// Lives on the io thread, kept alive by its pending operations; keeps the session alive.
class StreamWriter : public std::enable_shared_from_this<StreamWriter> {
 public:
  // `stream` belongs to `session`, and is this object's until its end.
  StreamWriter(std::shared_ptr<HttpSession> session, DoorStream& stream, HttpSessionShared& shared,
               std::shared_ptr<BodyStream> body);

  void Start();
  // Ends the connection now, also in the middle of a piece.
  void Stop();

 private:
  void Read();
  void Pump();
  void Write(std::string bytes);
  void OnWrite(NetError error, std::size_t size);
  void AwaitHeartbeat();
  void Close();

  const std::shared_ptr<HttpSession> session_;
  DoorStream& stream_;
  HttpSessionShared& shared_;
  const std::shared_ptr<BodyStream> body_;
  net::steady_timer heartbeat_;
  std::string piece_;
  std::array<char, 512> unwanted_{};
  std::size_t unwanted_bytes_ = 0;
  bool is_writing_ = false;
  bool is_last_ = false;
  bool is_stopped_ = false;
};

}  // namespace switchback
