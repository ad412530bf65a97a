// Hands finished work from any thread to the one thread that runs an io_context, with one wake-up
// for a burst: only the mail that finds the box empty posts a handler. With 50 connections writing
// at once a group commit finishes 50 writes and wakes each io thread once.
#pragma once

#include <atomic>
#include <memory>

#include "server/net.hpp"

namespace switchback {

// Something that can wait in one Mailbox at a time. Owned by whoever posts it and alive until
// Deliver or Drop.
class Mail {
 public:
  virtual ~Mail() = default;
  // On the io thread.
  virtual void Deliver() = 0;
  // Instead of Deliver, when the box is closed already: on the posting thread.
  virtual void Drop() = 0;

 private:
  friend class Mailbox;
  Mail* next_in_mailbox_ = nullptr;
};

// Post from any thread, never blocks. Everything else from the io thread, or after it has ended.
class Mailbox {
 public:
  explicit Mailbox(net::io_context& context) : context_(context) {}
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // `mail` is delivered in the order of posting among the posts of one thread.
  void Post(Mail& mail);

  // No handler is posted from now on; what waits, and what comes, is dropped. Only when the
  // io_context does not run any more.
  void Close();

 private:
  void DeliverAll();

  net::io_context& context_;
  std::atomic<Mail*> newest_{nullptr};  // a stack linked through next_in_mailbox_
};

}  // namespace switchback
