// What one routing decision costs. The bar: at most 50 ns at a percentage, median.
//   build/release/bin/flag_decision_bench --benchmark_repetitions=9
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "flags/flag.hpp"
#include "flags/flag_parser.hpp"
#include "flags/flag_store.hpp"

namespace switchback {
namespace {

constexpr std::size_t kKeyCount = 1024;  // more than a branch predictor learns by heart

std::vector<std::string> KeysOf(std::size_t bytes, bool has_tag) {
  std::vector<std::string> keys;
  for (std::size_t number = 0; number < kKeyCount; ++number) {
    std::string key = std::to_string(number * 7919);
    key = has_tag ? "{tenant-" + key + "}:" : "key:" + key;
    key.resize(bytes, 'x');
    keys.push_back(std::move(key));
  }
  return keys;
}

FlagSettings AtPercentage(std::uint32_t percent) {
  FlagSettings settings;
  settings.enabled = true;
  settings.share = percent * 1000;
  settings.salt = kUnifiedFlagName;
  return settings;
}

void DecideAll(benchmark::State& state, const FlagRule& rule, bool has_tag) {
  const auto keys = KeysOf(static_cast<std::size_t>(state.range(0)), has_tag);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rule.Decide(keys[next++ % kKeyCount]));
  }
}

void BM_DecideAtPercentage(benchmark::State& state) {
  DecideAll(state, FlagRule(AtPercentage(25)), /*has_tag=*/false);
}
BENCHMARK(BM_DecideAtPercentage)->Arg(16)->Arg(24)->Arg(40)->Arg(511);

void BM_DecideByHashTag(benchmark::State& state) {
  DecideAll(state, FlagRule(AtPercentage(25)), /*has_tag=*/true);
}
BENCHMARK(BM_DecideByHashTag)->Arg(40);

void BM_DecideConstant(benchmark::State& state) {
  DecideAll(state, FlagRule(AtPercentage(100)), /*has_tag=*/false);
}
BENCHMARK(BM_DecideConstant)->Arg(24);

void BM_DecideWithLists(benchmark::State& state) {
  FlagSettings settings = AtPercentage(25);
  for (int number = 0; number < 100; ++number) {
    settings.allow.push_back("tenant-" + std::to_string(number));
    settings.deny.push_back("test-" + std::to_string(number) + "*");
  }
  DecideAll(state, FlagRule(settings), /*has_tag=*/false);
}
BENCHMARK(BM_DecideWithLists)->Arg(24);

// A rule that is more than a share is evaluated for each key.
void BM_DecideTargeted(benchmark::State& state) {
  const auto flags = ParseFlags(
      R"({"USE_UNIFIED_DB_SERVICE": {"state": "ENABLED", "variants": {"on": true, "off": false},
          "targeting": {"if": [{"starts_with": [{"var": "targetingKey"}, "key:1"]}, "on",
                               {"fractional": [["on", 5], ["off", 95]]}]}}})");
  if (!flags) return state.SkipWithError(flags.error().message.c_str());
  DecideAll(state, flags->begin()->second, /*has_tag=*/false);
}
BENCHMARK(BM_DecideTargeted)->Arg(24);

void BM_ReaderCurrent(benchmark::State& state) {
  const FlagStore store;
  FlagStore::Reader reader(store);
  for (auto _ : state) benchmark::DoNotOptimize(&reader.Current());
}
BENCHMARK(BM_ReaderCurrent);

void BM_Murmur3(benchmark::State& state) {
  const auto keys = KeysOf(static_cast<std::size_t>(state.range(0)), /*has_tag=*/false);
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(Murmur3(keys[next++ % kKeyCount]));
}
BENCHMARK(BM_Murmur3)->Arg(16)->Arg(24)->Arg(40);

}  // namespace
}  // namespace switchback
