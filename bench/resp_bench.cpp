// What one request costs between the socket and the service: parse, look up, dispatch, reply. The
// service behind it answers from a constant, so that what is measured is ours.
#include <benchmark/benchmark.h>

#include <string>

#include "server/commands/table.hpp"
#include "server/resp/glob.hpp"
#include "server/resp/parser.hpp"
#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

std::string Pipeline(std::initializer_list<std::string_view> args, int count) {
  std::string requests;
  for (int i = 0; i < count; ++i) requests += EncodeRequest(args);
  return requests;
}

void BM_ParseGet(benchmark::State& state) {
  const std::string input = Pipeline({"GET", "key:000000012345"}, 16);
  RequestParser parser(kBulkBytesMax);
  for (auto _ : state) {
    std::string_view rest = input;
    while (parser.Parse(rest) == ParseStatus::kCommand) {
      benchmark::DoNotOptimize(parser.arguments().data());
      rest.remove_prefix(parser.request_bytes());
      parser.Next();
    }
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_ParseGet);

void BM_FindCommand(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(FindCommand("GET"));
}
BENCHMARK(BM_FindCommand);

// A thread whose session knows one value.
class ConstantThread final : public ConversationThread, public CommandBatch::Listener {
 public:
  class ConstantSession final : public Session {
   public:
    Result<std::optional<std::string_view>> Get(const Collection&, std::string_view) override {
      return std::optional<std::string_view>(value);
    }
    Result<std::vector<std::optional<std::string>>> MultiGet(
        const Collection&, std::span<const std::string_view> keys) override {
      return std::vector<std::optional<std::string>>(keys.size(), value);
    }
    Status Scan(const Collection&, std::string_view, const Visitor&) override { return {}; }
    Result<std::uint64_t> Count(const Collection&) override { return std::uint64_t{0}; }
    void EndTurn() noexcept override {}

    std::string value = std::string(100, 'v');
  };

  explicit ConstantThread(RespWorld& world) : world_(world) {}
  Session& BeginRead() override { return session_; }
  SlowLane& slow_lane() override { return world_.slow_lane; }
  void CountCommands(std::uint64_t, std::uint64_t) override {}
  void CountProtocolError() override {}
  void OnBatchDone() override {}

 private:
  RespWorld& world_;
  ConstantSession session_;
};

std::shared_ptr<ClientInfo> NewInfo() {
  return std::make_shared<ClientInfo>(1, "127.0.0.1:1", "127.0.0.1:2", 3, SteadyTime(), [] {});
}

void BM_GetThroughConversation(benchmark::State& state) {
  const auto depth = static_cast<int>(state.range(0));
  RespWorld world;
  ConstantThread thread(world);
  Conversation conversation(world.environment, thread, thread, NewInfo());
  const std::string input = Pipeline({"GET", "key:000000012345"}, depth);
  ByteBuffer output;
  for (auto _ : state) {
    conversation.Consume(input, output);
    benchmark::DoNotOptimize(output.view().data());
    output.Clear();
  }
  state.SetItemsProcessed(state.iterations() * depth);
}
BENCHMARK(BM_GetThroughConversation)->Arg(1)->Arg(16)->Arg(128);

// The write path as far as the service, which is the fake one: a map and a lock.
void BM_SetThroughConversation(benchmark::State& state) {
  const auto depth = static_cast<int>(state.range(0));
  RespWorld world;
  ConstantThread thread(world);
  Conversation conversation(world.environment, thread, thread, NewInfo());
  const std::string input = Pipeline({"SET", "key:000000012345", std::string(100, 'v')}, depth);
  ByteBuffer output;
  for (auto _ : state) {
    conversation.Consume(input, output);
    conversation.Resume(output);
    benchmark::DoNotOptimize(output.view().data());
    output.Clear();
  }
  state.SetItemsProcessed(state.iterations() * depth);
}
BENCHMARK(BM_SetThroughConversation)->Arg(1)->Arg(16)->Arg(128);

void BM_GlobOverKey(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(GlobMatches("user:*:name", "user:000000012345:name"));
  }
}
BENCHMARK(BM_GlobOverKey);

}  // namespace
}  // namespace switchback
