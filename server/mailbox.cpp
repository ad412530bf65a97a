#include "server/mailbox.hpp"

#include "common/check.hpp"

namespace switchback {
namespace {

// Stands at the head of a box that is closed. Never delivered.
class ClosedMark final : public Mail {
 public:
  void Deliver() override { SB_CHECK(false, "the mark of a closed mailbox is no mail"); }
  void Drop() override {}
};
ClosedMark closed_mark;

}  // namespace

Mailbox::~Mailbox() {
  const Mail* head = newest_.load(std::memory_order_acquire);
  SB_CHECK(head == nullptr || head == &closed_mark, "a mailbox is empty or closed when it ends");
}

void Mailbox::Post(Mail& mail) {
  Mail* head = newest_.load(std::memory_order_acquire);
  do {
    if (head == &closed_mark) {
      mail.Drop();
      return;
    }
    mail.next_in_mailbox_ = head;
  } while (!newest_.compare_exchange_weak(head, &mail, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  // Whoever made the box non-empty wakes the thread; later mail rides along.
  if (head == nullptr) net::post(context_, [this] { DeliverAll(); });
}

void Mailbox::DeliverAll() {
  Mail* newest = newest_.load(std::memory_order_acquire);
  do {
    if (newest == &closed_mark) return;
  } while (!newest_.compare_exchange_weak(newest, nullptr, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  // The stack holds the newest first; clients are served in the order of completion.
  Mail* oldest = nullptr;
  while (newest != nullptr) {
    Mail* const next = newest->next_in_mailbox_;
    newest->next_in_mailbox_ = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    // Read first: Deliver may post the same mail again or end it.
    Mail* const next = oldest->next_in_mailbox_;
    oldest->Deliver();
    oldest = next;
  }
}

void Mailbox::Close() {
  Mail* waiting = newest_.exchange(&closed_mark, std::memory_order_acq_rel);
  if (waiting == &closed_mark) return;
  while (waiting != nullptr) {
    Mail* const next = waiting->next_in_mailbox_;
    waiting->Drop();
    waiting = next;
  }
}

}  // namespace switchback
