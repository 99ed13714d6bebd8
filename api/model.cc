#include <ebb/model.h>

#include "api/impl.h"
#include "base/error.h"
#include "diffusion/conditioner.h"

namespace ebb::api {

Model Model::load(const Context& context, const std::string& name_or_path) {
  return Model(std::make_shared<const Impl>(
      Impl{context.impl(), ebb::Model::load(context_of(context), name_or_path)}));
}

const std::string& Model::path() const { return impl_->model.path; }
const std::string& Model::sha256() const { return impl_->model.sha256; }
std::string Model::objective() const { return to_string(impl_->model.objective.type); }
int64_t Model::classes() const { return class_count(impl_->model.network); }

int Model::height() const { return static_cast<int>(impl_->model.network.sample().shape[0]); }
int Model::width() const { return static_cast<int>(impl_->model.network.sample().shape[1]); }
int Model::channels() const { return static_cast<int>(impl_->model.network.sample().shape[2]); }

const std::map<std::string, std::string>& Model::metadata() const { return impl_->model.metadata; }
const std::vector<std::string>& Model::warnings() const { return impl_->model.warnings; }

void check_same_context(const Context& context, const Model& model) {
  context_of(context);
  EBB_CHECK(model.impl() != nullptr, UsageError,
            "model: was moved from. Copy it instead; copies share the weights.");
  EBB_CHECK(model.impl()->context == context.impl(), UsageError,
            "model: was loaded with another context. Load it with the context that uses it.");
}

}  // namespace ebb::api
