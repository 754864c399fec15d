# The front door: `make help`. Everything below runs cmake and ctest with the presets of
# CMakePresets.json; use those directly if you like.
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 10
FAULT_FLAGS ?= --kills 10000
# Such as: make bench BENCH_FLAGS='--jobs J1,J2 --rounds 9'
BENCH_FLAGS ?=
# ON builds image.info and image.resize, which need libvips.
IMAGE_OPS ?= OFF
# ON has CPython in the container image; every other build has it.
PYTHON_OPS ?= OFF

configure = cmake --preset $(1) --log-level=WARNING -DFETCHMILL_IMAGE_OPS=$(IMAGE_OPS) $(2)
build = cmake --build --preset $(1) --parallel $(JOBS) $(2)
sources = git ls-files '*.cpp' '*.hpp'

.PHONY: help deps deps-build deps-image build demo run test bench bench-parts bench-build fmt tidy asan \
  fuzz fault docs image container-test newcomer-test clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

deps: deps-image ## the Debian packages to build and test (as root, or by sudo without a password)
	@deploy/install-packages.sh deploy/packages-build.txt

deps-build: deps-image
	@deploy/install-packages.sh deploy/packages-build.txt build

deps-image:
	@[ $(IMAGE_OPS) != ON ] || deploy/install-packages.sh deploy/packages-image.txt build

build: deps-build ## the server: build/release/fetchmill
	$(call configure,release)
	$(call build,release,--target fetchmill fetchmill-origin)

demo: build ## what it can do, shown against a local origin, in about a minute
	@deploy/demo/demo.sh

run: build ## the server and a local origin to fetch from, until Ctrl-C
	@deploy/demo/demo.sh run

test: deps ## every test, on the release build
	$(call configure,release)
	$(call build,release)
	ctest --preset release --parallel $(JOBS)

asan: deps ## every test and fuzzer, under AddressSanitizer and UndefinedBehaviorSanitizer
	$(call configure,asan,-DFETCHMILL_FUZZ_SECONDS=$(FUZZ_SECONDS))
	$(call build,asan)
	ctest --preset asan --parallel $(JOBS)

fuzz: deps ## every fuzzer alone, FUZZ_SECONDS each (default 10)
	$(call configure,asan,-DFETCHMILL_FUZZ_SECONDS=$(FUZZ_SECONDS))
	$(call build,asan,--target fuzz)
	ctest --preset asan --label-regex fuzz --parallel $(JOBS)

fault: deps ## the server under load while 10,000 of its workers are killed (FAULT_FLAGS)
	$(call configure,release)
	$(call build,release,--target fetchmill-fault fetchmill-testing fetchmill-origin)
	build/release/tests/fetchmill-fault --server build/release/tests/fetchmill-testing \
	  --origin build/release/tests/fetchmill-origin $(FAULT_FLAGS)

bench: bench-build ## the same jobs by fetchmill and by its peers, in a quarter of an hour; QUICK=1: in two minutes
	@bench/bench.py $(if $(QUICK),--quick) $(BENCH_FLAGS)

bench-parts: bench-build ## what parts of the server cost, beside references, in about two minutes
	@bench/parts.sh

bench-build: deps-build
	@deploy/install-packages.sh deploy/packages-bench.txt peers
	@command -v npm >/dev/null || deploy/install-packages.sh deploy/packages-bench.txt node
	$(call configure,release)
	$(call build,release,--target bench fetchmill fetchmill-origin)

fmt: deps ## clang-format over the sources
	$(sources) | xargs clang-format-14 -i

tidy: deps ## clang-tidy over the sources, findings are errors
	$(call configure,tidy)
	run-clang-tidy-14 -quiet -j $(JOBS) -p build/tidy

docs: deps-build ## docs/ and the example configuration, anew from the tables
	$(call configure,release)
	$(call build,release,--target docs)

image: ## the container image, by docker or podman; IMAGE_OPS=ON, PYTHON_OPS=ON: with those ops
	$(shell command -v docker || echo podman) build --tag fetchmill \
	  --build-arg REVISION=$(shell git rev-parse --short=12 HEAD) \
	  --build-arg IMAGE_OPS=$(IMAGE_OPS) --build-arg PYTHON_OPS=$(PYTHON_OPS) .

container-test: ## the image, built without a registry and tested in an engine (as root)
	@IMAGE_OPS=$(IMAGE_OPS) PYTHON_OPS=$(PYTHON_OPS) tests/container/run.sh

newcomer-test: ## README from top to bottom in a new Debian, in about 20 minutes (as root)
	@tests/newcomer/run.sh

clean: ## removes build/
	rm -rf build
