# Each target sets up .venv by itself when it is missing or older than its inputs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO := out/demo
WORKERS ?= 2

.PHONY: install demo test test-slow bench lint clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: install
	$(BIN)/vosforge-render run --recipe bl30k --clips 12 --frames 16 --size 192x128 --seed 7 --val-every 4 \
		--workers $(WORKERS) --out $(DEMO)/corpus
	$(BIN)/vosforge-data verify $(DEMO)/corpus
	$(BIN)/vosforge-data preview $(DEMO)/corpus --out $(DEMO)/sheet.jpg
	$(BIN)/vosforge-data preview $(DEMO)/corpus --out $(DEMO)/clip.mp4
	$(BIN)/vosforge-train run propagation-rendered-mini --data $(DEMO)/corpus --steps 600 --crop-size 96 \
		--out $(DEMO)/run
	$(BIN)/vosforge-eval davis --root $(DEMO)/corpus --split val --checkpoint trained=$(DEMO)/run/checkpoints/last.pt \
		--untrained --out $(DEMO)/evaluation

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

test-slow: install
	$(BIN)/python -m pytest -m slow --timeout 1800

bench: install
	$(BIN)/python bench/rendering.py --size 288x192 --frames 2
	$(BIN)/python bench/blenderproc_renderer.py --size 192x128 --frames 2 --reference-samples 128
	$(BIN)/python bench/passes.py --frames 3 --scenes 2 --repeats 2
	$(BIN)/python bench/workers.py
	$(BIN)/python bench/workers.py --memory --clips 30 --frames 2 --size 96x64 --samples 1
	$(BIN)/python bench/farm.py --clips 8 --frames 10
	$(BIN)/python bench/training.py
	$(BIN)/python bench/loader.py --samples 8 --turns 2
	$(BIN)/python bench/memory_read.py
	$(BIN)/python bench/reading.py
	$(BIN)/python bench/compositing.py
	$(BIN)/python bench/robot.py
	$(BIN)/python bench/scoring.py
	$(BIN)/python bench/propagation.py --objects 1 2 --turns 1
	$(BIN)/python bench/session_memory.py --frames 3000 --rows 9 --columns 16

lint: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(DEMO)
