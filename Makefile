# Every target is a front door of a stage; logic lives behind the doors. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BUILD ?= build
TASK ?= vessels
DATA ?=
PROFILE ?= default
FORMATS ?= torchscript,onnx
# What outlives a build: `make clean` leaves it alone.
STATE ?= champions
CHAMPION ?= $(STATE)/$(TASK)/model_repository
TEST_SET ?= $(STATE)/$(TASK)/test_set
TRIGGER ?= asked
RUN := .venv/bin/python -m
REPORT = $(if $(JUNIT),--junitxml="$(JUNIT)")

INSTALLED := .venv/.installed
$(INSTALLED): pyproject.toml clients/python/pyproject.toml constraints.txt .ci/install
	@PYTHON="$(PYTHON)" .ci/install
	@touch $@

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-20s %s\n", $$1, $$2}'
	@echo "  options: TASK=<task>  DATA=<folder>  BUILD=<folder>  FORMATS=torchscript,onnx,…  PROFILE=default|cpu|torchscript  BEFORE=<release>  JUNIT=<file>  PYTHON=<interpreter>"

.PHONY: install
install: $(INSTALLED) ## install everything into .venv, pinned and hashed

.PHONY: demo
demo: $(INSTALLED) ## the whole way: data, train, export, serve, infer, load-test, report
	@$(RUN) pipelines demo --build "$(BUILD)" $(if $(DATA),--data "$(DATA)")

.PHONY: test
test: $(INSTALLED) ## every test, in two processes
	@OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=10

.PHONY: test-fast
test-fast: $(INSTALLED) ## the tests that neither train nor start a server
	@.venv/bin/pytest -m "not slow" $(REPORT)

.PHONY: test-contracts
test-contracts: $(INSTALLED) ## what the hand-written model repository, the tasks and the exports promise each other
	@.venv/bin/pytest tests/model_repository $(REPORT)

.PHONY: test-jenkins
test-jenkins: $(INSTALLED) ## run the Jenkinsfile in an executor of its own (needs Java 17 and Maven)
	@.venv/bin/pytest tests/jenkins $(REPORT)

.PHONY: cluster-build
cluster-build: ## build the Kubernetes of test-cluster, once (root, Go; 15 minutes on two cores)
	@tests/cluster/build

.PHONY: cluster-tools
cluster-tools: ## of that only what the tests of chart, Dockerfiles and compose.yaml use: helm, kubeconform, linters
	@tests/cluster/build tools

.PHONY: keda-build
keda-build: ## build KEDA for the autoscaling tests of test-cluster, once
	@tests/cluster/build keda

.PHONY: test-cluster
test-cluster: $(INSTALLED) ## the chart on a real Kubernetes: KUBECONFIG, or the one of cluster-build
	@.venv/bin/pytest --cluster --durations=0 --ignore tests/cluster/test_stack_images.py tests/cluster

.PHONY: test-images
test-images: $(INSTALLED) ## build the images of the dashboard, MLflow and training, and run them on that Kubernetes
	@.venv/bin/pytest --cluster --durations=0 tests/cluster/test_stack_images.py

.PHONY: lint
lint: $(INSTALLED) ## ruff, ruff format, mypy --strict, import-linter
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PYTHONPATH=clients/dashboard .venv/bin/lint-imports

.PHONY: licences
licences: $(INSTALLED) ## hold every installed licence to ci/licences.yaml; list them, and make docs/reference/licences.md
	@$(RUN) ci.licences --list "$(BUILD)/licences/licences.json" --page docs/reference/licences.md

.PHONY: sbom
sbom: $(INSTALLED) ## what is installed as a CycloneDX bill of materials, validated
	@$(RUN) ci.sbom "$(BUILD)/sbom/environment.cdx.json"

.PHONY: format
format: $(INSTALLED) ## let ruff format and mend what it can
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# Where training records itself: what `make stack` shows.
RUNS = tracking.uri='sqlite:///$(BUILD)/mlflow.db'
ARTIFACTS = tracking.artifacts='$(BUILD)/mlartifacts'

DRAWN := $(BUILD)/data/synthetic$(if $(filter-out vessels,$(TASK)),_$(TASK))
$(DRAWN): | $(INSTALLED)
	@$(RUN) training synthesise --task $(TASK) --root "$@"

.PHONY: train
train: $(INSTALLED) $(if $(DATA),,| $(DRAWN)) ## train and judge TASK on DATA, as long as the task or TRAINER=smoke|demo|full says
	@$(RUN) training task=$(TASK) data.root="'$(or $(DATA),$(DRAWN))'" out="'$(BUILD)/training/$(TASK)'" \
		"$(RUNS)" "$(ARTIFACTS)" $(if $(TRAINER),trainer=$(TRAINER))

.PHONY: export
export: $(INSTALLED) ## export the trained model behind the parity gate and place the release, as FORMATS
	@$(RUN) export model="$(BUILD)/training/$(TASK)" formats="[$(FORMATS)]" to="$(BUILD)/model_repository" \
		work="$(BUILD)/export"

.PHONY: serve
serve: $(INSTALLED) ## serve the placed release on ports 8000 (HTTP), 8001 (gRPC), 8002 (metrics) until Ctrl-C
	@$(RUN) serving --repository "$(BUILD)/model_repository" --profile $(PROFILE) \
		--http-port 8000 --grpc-port 8001 --metrics-port 8002

.PHONY: load-test
load-test: $(INSTALLED) ## load-test the server that `make serve` runs
	@$(RUN) loadtests run --url 127.0.0.1:8001 --task $(TASK) --profile $(PROFILE) \
		--images "$(BUILD)/training/$(TASK)/held_out/images" --out "$(BUILD)/loadtest"

.PHONY: capacity
capacity: $(INSTALLED) ## the rate up to which the placed release meets its objectives, as PROFILE
	@$(RUN) loadtests capacity --repository "$(BUILD)/model_repository" --profiles $(PROFILE) --task $(TASK) \
		--images "$(BUILD)/training/$(TASK)/held_out/images" --out "$(BUILD)/capacity"

.PHONY: compare
compare: $(INSTALLED) ## whether the placed release is slower than the release BEFORE
	@$(RUN) loadtests compare --a "$(BEFORE)" --b "$(BUILD)/model_repository" --task $(TASK) \
		--images "$(BUILD)/training/$(TASK)/held_out/images" --out "$(BUILD)/compare"

.PHONY: soak
soak: $(INSTALLED) ## ten minutes of steady load: does memory, a queue or latency rise?
	@$(RUN) loadtests soak --repository "$(BUILD)/model_repository" --profile $(PROFILE) --task $(TASK) \
		--images "$(BUILD)/training/$(TASK)/held_out/images" --out "$(BUILD)/soak"

.PHONY: verify
verify: $(INSTALLED) ## re-hash the placed release and read its artefacts and configurations again
	@$(RUN) export verify "$(BUILD)/model_repository"

.PHONY: freeze
freeze: $(INSTALLED) ## make TEST_SET of the trained model's held-out pictures, once
	@$(RUN) pipelines freeze --model "$(BUILD)/training/$(TASK)" --to "$(TEST_SET)"

.PHONY: evaluate
evaluate: $(INSTALLED) ## may the placed release replace CHAMPION? judged on TEST_SET as both are served
	@$(RUN) pipelines judge --challenger "$(BUILD)/model_repository" --champion "$(CHAMPION)" \
		--test-set "$(TEST_SET)" --model "$(BUILD)/training/$(TASK)" --profile $(PROFILE) --out "$(BUILD)/judge"

.PHONY: gate
gate: $(INSTALLED) ## serve the placed release and hold it to its objectives
	@$(RUN) pipelines gate --release "$(BUILD)/model_repository" --task $(TASK) --profile $(PROFILE) \
		--images "$(BUILD)/training/$(TASK)/held_out/images" --out "$(BUILD)/gate" \
		$(if $(SLO),--load-test=--slo --load-test="$(SLO)")

.PHONY: promote
promote: $(INSTALLED) ## let the release that `make evaluate` judged be CHAMPION
	@$(RUN) pipelines promote --challenger "$(BUILD)/model_repository" --champion "$(CHAMPION)" \
		--verdict "$(BUILD)/judge/verdict.json"

.PHONY: rollback
rollback: $(INSTALLED) ## let CHAMPION be the release that it was before
	@$(RUN) pipelines rollback --champion "$(CHAMPION)"

.PHONY: retrain
retrain: $(INSTALLED) ## train on DATA, judge and promote, if TRIGGER (asked, drift, labels, schedule) has a reason
	@$(RUN) pipelines retrain --run "$(BUILD)/retraining/$(TASK)" --task $(TASK) $(if $(DATA),--data "$(DATA)") \
		--training="$(RUNS)" --training="$(ARTIFACTS)" \
		--test-set "$(TEST_SET)" --champion "$(CHAMPION)" --profile $(PROFILE) --trigger $(TRIGGER) \
		$(if $(DRIFT_REPORT),--drift-report "$(DRIFT_REPORT)")

.PHONY: dashboard
dashboard: $(INSTALLED) ## a page over the server that `make serve` runs: overlays, latency, worst cases, health, drift
	@.venv/bin/streamlit run clients/dashboard/app.py -- --url 127.0.0.1:8001 \
		$(if $(DATA),--samples "$(DATA)") $(if $(wildcard $(BUILD)/evaluation),--gallery "$(BUILD)/evaluation") \
		--drift "$(BUILD)/drift"

.PHONY: stack
stack: $(INSTALLED) ## Triton, MLflow, Prometheus and the dashboard at once, without containers, until Ctrl-C
	@$(RUN) pipelines stack --build "$(BUILD)" --profile $(PROFILE) $(if $(DATA),--samples "$(DATA)") \
		$(foreach name,$(WITHOUT),--without $(name))

.PHONY: test-stack
test-stack: $(INSTALLED) ## the stack from an upload to the decision to train anew, in six minutes (needs Chromium, Prometheus)
	@OMP_NUM_THREADS=1 .venv/bin/pytest --no-skip --timeout 360 --durations=3 tests/end_to_end/test_stack.py $(REPORT)

.PHONY: reference
reference: $(INSTALLED) ## profile what TASK's network was made for: DATA, a folder of such pictures, best ones it was not trained on
	@$(RUN) monitoring reference --task $(TASK) --release "$(BUILD)/model_repository" --images "$(DATA)"

.PHONY: drift
drift: $(INSTALLED) ## whether the pictures in DATA have drifted from the reference of TASK
	@$(RUN) monitoring drift --task $(TASK) --release "$(BUILD)/model_repository" --images "$(DATA)" \
		--out "$(BUILD)/drift/$(TASK)" --textfile "$(BUILD)/metrics/fovea_drift_$(TASK).prom"

.PHONY: drift-benchmark
drift-benchmark: $(INSTALLED) ## how often drift alarms with nothing planted, and with shifts planted
	@$(RUN) benchmarks.drift --release "$(BUILD)/model_repository"

.PHONY: lock
lock: ## resolve constraints.txt anew from both pyproject.toml (needs uv)
	@uv pip compile pyproject.toml clients/python/pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-package fovea-client \
		--quiet -o constraints.txt

.PHONY: docs
docs: $(INSTALLED) ## build the documentation into $(BUILD)/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --site-dir "$(abspath $(BUILD))/site"
	@echo "documentation: $(BUILD)/site/index.html"

.PHONY: command-lines
command-lines: $(INSTALLED) ## make docs/reference/command-lines.md from what --help says
	@.venv/bin/python docs/command_lines.py

.PHONY: clean
clean: ## remove what was built; the environment stays
	@rm -rf "$(BUILD)"

.PHONY: chart-lint
chart-lint: $(INSTALLED) ## lint the Helm chart and hold it to its schema, documents and golden renders (needs helm)
	@.venv/bin/pytest -q tests/helm-chart -m "not slow" $(REPORT)

.PHONY: test-chart
test-chart: $(INSTALLED) ## every test of the Helm chart that needs no cluster; skips what has no program here
	@.venv/bin/pytest tests/helm-chart $(REPORT)

.PHONY: chart-docs
chart-docs: $(INSTALLED) ## make the chart's README from its values
	@.venv/bin/python helm-chart/document_values.py

.PHONY: chart-golden
chart-golden: $(INSTALLED) ## render the golden files anew; look at the difference before you commit it
	@.venv/bin/python tests/support/render_golden.py

REGISTRY ?= localhost
TAG ?= dev

.PHONY: images
images: ## build the images of server, release, load test and MORE="dashboard mlflow training" for REGISTRY as TAG (needs buildah or docker)
	@docker/images build "$(BUILD)" "$(REGISTRY)" "$(TAG)" "$(PROFILE)" $(MORE)

.PHONY: scan-images
scan-images: ## look for known holes in what `make images` built, with SCANNER=trivy|grype or whichever is there
	@docker/images scan "$(BUILD)" "$(SCANNER)"

.PHONY: sbom-images
sbom-images: ## bills of materials of what `make images` built, with SCANNER=trivy|syft or whichever is there
	@docker/images sbom "$(BUILD)" "$(SCANNER)"

.PHONY: push-images
push-images: ## push them; $(BUILD)/images/values.yaml then has their digests for the chart
	@docker/images push "$(BUILD)" "$(REGISTRY)" "$(TAG)"

RELEASE ?= fovea
IN_ENVIRONMENT = "$(RELEASE)" --namespace "fovea-$(or $(filter staging production,$(ENVIRONMENT)),$(error say where: ENVIRONMENT=staging or ENVIRONMENT=production))"

.PHONY: deploy
deploy: ## install or upgrade RELEASE in ENVIRONMENT=staging|production with VALUES; goes back by itself if it does not come up
	@helm upgrade --install $(IN_ENVIRONMENT) helm-chart --create-namespace --rollback-on-failure --wait --timeout 40m \
		$(foreach file,$(VALUES),--values "$(file)")

.PHONY: check-deployment
check-deployment: ## load-test RELEASE in ENVIRONMENT from within its cluster, as its values say
	@helm test $(IN_ENVIRONMENT) --logs --timeout 20m

.PHONY: rollback-deployment
rollback-deployment: ## put RELEASE in ENVIRONMENT back to the revision before
	@helm rollback $(IN_ENVIRONMENT) --wait --timeout 40m
