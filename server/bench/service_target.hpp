// A role of the service as a target: "legacy", "unified", or a percentage such as "25%". Several of
// them share one service and its records; a run turns the flag before it begins.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/bench/service_host.hpp"
#include "server/bench/target.hpp"

namespace switchback::bench {

class ServiceTarget : public Target {
 public:
  // `percentage` of the keys go to unified: 0 is the flag off, 100 the flag on. `host` and
  // `records` outlive it.
  ServiceTarget(ServiceHost& host, double percentage, RecordCounter& records);

  [[nodiscard]] const std::string& name() const override { return name_; }
  Status Prepare() override;
  Result<std::unique_ptr<Client>> NewClient() override;
  Status Settle() override { return host_.Settle(); }
  [[nodiscard]] RecordCounter& records() override { return records_; }

 private:
  const std::string name_;
  ServiceHost& host_;
  const double percentage_;
  RecordCounter& records_;
};

}  // namespace switchback::bench
