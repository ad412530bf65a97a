// A connection: carries bytes between a socket and a Conversation. Thin handlers on its io thread,
// no lock, no strand: read what is there, run it, write the replies at once, wait.
//
// An idle connection holds no buffers: reads go to the thread's buffer, replies leave from the
// thread's buffer, and only what could not be handled or sent is kept here.
#pragma once

#include <memory>

#include "common/clock.hpp"
#include "server/mailbox.hpp"
#include "server/net.hpp"
#include "server/resp/byte_buffer.hpp"
#include "server/resp/conversation.hpp"
#include "server/resp/io_thread.hpp"
#include "server/tls/tls_channel.hpp"

namespace switchback {

// Everything on its io thread, except OnBatchDone and Drop. (The service's Session, the reads of a
// thread, is another thing.)
class RespSession final : public std::enable_shared_from_this<RespSession>,
                          private CommandBatch::Listener,
                          private Mail {
 public:
  // `tls` null: without it.
  RespSession(std::shared_ptr<IoThread> thread, StreamSocket socket, const TlsHandle& tls,
              std::shared_ptr<ClientInfo> info);
  ~RespSession() override;

  void Start();
  // Handles what has arrived, answers what is under way, then closes.
  void Drain();
  // Now. Harmless when closed.
  void Close();
  // Closes a client that takes no output, or leaves a request unfinished, for too long.
  void CheckStalled(SteadyTime now);

 private:
  void WaitReadable();
  void OnReadable(NetError error);
  void WaitWritable();
  void OnWritable(NetError error);

  // Runs what `input` holds. `is_borrowed`: it is in the thread's buffer and what is left must move
  // to input_; otherwise it is input_.
  void Process(std::string_view input, bool is_borrowed);
  // Sends the thread's output buffer and decides what to wait for.
  void Flush(ConversationState state);
  void Write(std::string_view bytes);
  // What the socket, or TLS over it, gives and takes now.
  std::size_t ReadSome(char* to, std::size_t size, NetError& error);
  std::size_t WriteSome(std::string_view bytes, NetError& error);
  void WaitForNext();
  void CutOff(const char* reason);

  // CommandBatch::Listener: on a thread of the service.
  void OnBatchDone() override { thread_->mailbox().Post(*this); }
  // Mail.
  void Deliver() override;
  void Drop() override { keep_alive_.reset(); }

  const std::shared_ptr<IoThread> thread_;  // before the socket, which belongs to its context
  StreamSocket socket_;
  const std::unique_ptr<TlsChannel> tls_;  // null: there is none
  const std::shared_ptr<ClientInfo> info_;
  Conversation conversation_;
  ConversationState state_ = ConversationState::kNeedsInput;
  ByteBuffer input_;    // of a request that has not arrived whole, or that waits for its turn
  ByteBuffer pending_;  // output that the socket did not take yet
  bool is_input_ended_ = false;
  bool is_waiting_readable_ = false;
  bool is_waiting_writable_ = false;
  SteadyTime input_progress_at_;
  SteadyTime output_progress_at_;
  std::shared_ptr<RespSession> keep_alive_;  // itself, while a batch is under way
};

}  // namespace switchback
