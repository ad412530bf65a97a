#include "server/mailbox.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace switchback {
namespace {

struct Letter final : Mail {
  explicit Letter(std::vector<int>* arrived = nullptr, int n = 0) : log(arrived), number(n) {}
  void Deliver() override {
    if (log != nullptr) log->push_back(number);
    if (on_deliver) on_deliver();
  }
  void Drop() override { ++dropped; }

  std::vector<int>* log;
  int number;
  int dropped = 0;
  std::function<void()> on_deliver;
};

TEST(Mailbox, DeliversInTheOrderOfPosting) {
  net::io_context context;
  Mailbox mailbox(context);
  std::vector<int> arrived;
  std::vector<Letter> letters;
  for (int i = 0; i < 5; ++i) letters.emplace_back(&arrived, i);

  for (Letter& letter : letters) mailbox.Post(letter);
  context.run();

  EXPECT_EQ(arrived, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Mailbox, ABurstIsOneHandler) {
  net::io_context context;
  Mailbox mailbox(context);
  std::vector<Letter> letters(100);

  for (Letter& letter : letters) mailbox.Post(letter);

  EXPECT_EQ(context.poll(), 1u);
}

TEST(Mailbox, ALetterCanBePostedAgainFromItsDelivery) {
  net::io_context context;
  Mailbox mailbox(context);
  std::vector<int> arrived;
  Letter letter(&arrived, 7);
  letter.on_deliver = [&] {
    if (arrived.size() < 3) mailbox.Post(letter);
  };

  mailbox.Post(letter);
  context.run();

  EXPECT_EQ(arrived, (std::vector<int>{7, 7, 7}));
}

TEST(Mailbox, LosesNothingOfManyThreads) {
  constexpr int kThreadCount = 4;
  constexpr int kLetterCount = 20000;
  net::io_context context;
  auto work = net::make_work_guard(context);
  Mailbox mailbox(context);
  int delivered = 0;
  std::vector<std::vector<Letter>> letters(kThreadCount);
  for (auto& mine : letters) {
    mine.resize(kLetterCount);
    for (Letter& letter : mine) {
      letter.on_deliver = [&] {
        if (++delivered == kThreadCount * kLetterCount) work.reset();
      };
    }
  }

  std::vector<std::thread> threads;
  for (auto& mine : letters) {
    threads.emplace_back([&mailbox, &mine] {
      for (Letter& letter : mine) mailbox.Post(letter);
    });
  }
  context.run();
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(delivered, kThreadCount * kLetterCount);
}

TEST(Mailbox, DropsWhatWaitsAndWhatComesAfterClose) {
  net::io_context context;
  Mailbox mailbox(context);
  std::vector<int> arrived;
  Letter waiting(&arrived, 1);
  Letter late(&arrived, 2);
  mailbox.Post(waiting);

  mailbox.Close();
  mailbox.Post(late);
  context.run();

  EXPECT_EQ(waiting.dropped, 1);
  EXPECT_EQ(late.dropped, 1);
  EXPECT_TRUE(arrived.empty());
}

}  // namespace
}  // namespace switchback
