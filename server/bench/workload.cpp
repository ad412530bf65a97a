#include "server/bench/workload.hpp"

#include <cctype>

#include "common/check.hpp"

namespace switchback::bench {
namespace {

// Columns: read, update, insert, scan, read-modify-write.
constexpr std::array<Workload, 7> kWorkloads{{
    {'A', "update heavy: 50 % reads, 50 % updates", {50, 50, 0, 0, 0}, false},
    {'B', "read mostly: 95 % reads, 5 % updates", {95, 5, 0, 0, 0}, false},
    {'C', "read only", {100, 0, 0, 0, 0}, false},
    {'D', "read latest: 95 % reads of the newest, 5 % inserts", {95, 0, 5, 0, 0}, true},
    {'E', "short ranges: 95 % scans, 5 % inserts", {0, 0, 5, 95, 0}, false},
    {'F', "read-modify-write: 50 % of it, 50 % reads", {50, 0, 0, 0, 50}, false},
    {'W', "write only: 100 % updates (not part of YCSB)", {0, 100, 0, 0, 0}, false},
}};

constexpr bool AllAddUpToHundred() {
  for (const Workload& workload : kWorkloads) {
    unsigned sum = 0;
    for (const unsigned share : workload.percent) sum += share;
    if (sum != 100) return false;
  }
  return true;
}
static_assert(AllAddUpToHundred());

}  // namespace

const char* OperationKindName(OperationKind kind) {
  constexpr std::array<const char*, kOperationKindCount> kNames{"read", "update", "insert", "scan",
                                                                "read-modify-write"};
  return kNames[static_cast<std::size_t>(kind)];
}

OperationKind Workload::Choose(Random& random) const {
  std::uint64_t draw = random.Below(100);
  for (std::size_t kind = 0; kind < kOperationKindCount; ++kind) {
    if (draw < percent[kind]) return static_cast<OperationKind>(kind);
    draw -= percent[kind];
  }
  SB_CHECK(false, "the shares of a workload add up to 100");
  return OperationKind::kRead;
}

bool Workload::has_writes() const {
  const auto share = [this](OperationKind kind) { return percent[static_cast<std::size_t>(kind)]; };
  return share(OperationKind::kRead) + share(OperationKind::kScan) < 100;
}

const Workload* FindWorkload(char letter) {
  const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  for (const Workload& workload : kWorkloads) {
    if (workload.letter == upper) return &workload;
  }
  return nullptr;
}

Result<std::vector<const Workload*>> ParseWorkloads(std::string_view text) {
  if (text == "all") text = "ABCDEF";
  std::vector<const Workload*> workloads;
  for (const char letter : text) {
    if (letter == ',') continue;
    const Workload* workload = FindWorkload(letter);
    if (workload == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  std::string("workloads are A to F and W, not '") + letter + "'");
    }
    workloads.push_back(workload);
  }
  if (workloads.empty()) return Fail(ErrorCode::kInvalidArgument, "name at least one workload");
  return workloads;
}

}  // namespace switchback::bench
