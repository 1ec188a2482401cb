"""The interpreter of Amazon States Language: runs a frame (a position in a definition) to its end.

The event history is the record; the frame says where to continue. A redrive runs the same frame
again and does not repeat what had already succeeded in it. One module per concern: ``frames``
(position), ``program`` (what is run), ``data_flow`` (input and output processing),
``error_handling`` (Retry and Catch), ``task_events`` (history of a task), and the state types in
``flow_states``, ``task_state`` and ``branch_states``.

See https://states-language.net/spec.html and
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html. Must not import moto
or boto3.
"""

from __future__ import annotations

from local_aws.states.interpreter.data_flow import MAX_PAYLOAD_BYTES
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.interpreter import Interpreter
from local_aws.states.interpreter.program import Program

# Saved states name the class as local_aws.states.interpreter.Frame, so it must be found here.
__all__ = ["MAX_PAYLOAD_BYTES", "Frame", "Interpreter", "Program"]
