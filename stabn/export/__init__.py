"""A trained network as files that other programs read, and a card that says what is in them."""

from stabn.extras import needs

needs("onnx", "onnx", "onnxscript", "onnxruntime")
