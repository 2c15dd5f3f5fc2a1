"""The steps of the image build, one module each; `sandbox/build.py` puts them in order."""
