"""Closed loop: an exported model drives CarRacing-v3, and what happened on each track.

The model sees frames as PNG, as a client of a server would send them, and steers. Gas and brake follow the expert's
rule, which
knows the speed and the model's steering alone (`car_racing_expert.pedals`): nobody in the car reads the track.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.datasets.builders.car_racing_expert import Race


def drive(served, seed, max_decisions=0, watch=0):
    """Has an exported model drive one track.

    Args:
        served: From `load_saved_model`, with the signatures `start` and `step`.
        seed: Integer, of the track.
        max_decisions: Ends the drive after so many decisions; 0 drives until the lap is over.
        watch: Keeps so many frames, the first ones, and where the model looked. Default 0.

    Returns:
        A dict, JSON-able: seed, tiles (share that was driven, in [0, 1]), return (the game's score), decisions (25 a
        second), and left_the_road: the decision, the tile and the place (x, y in metres) of each time.
        And what was watched, as arrays: frames uint8 `(N, H, W, 3)`, weights `(N, h, w)` and steering `(N,)` in rad; an
        empty tuple where nothing was.
    """
    start, step = served.signatures["start"], served.signatures["step"]
    watched, state = [], None
    with Race(seed) as race:
        while not race.finished and (not max_decisions or race.decisions < max_decisions):
            image_bytes = tf.io.encode_png(race.frame)[None]
            state = start(image_bytes=image_bytes) if state is None else state
            answer = step(image_bytes=image_bytes, hidden=state["hidden"], carry=state["carry"])
            state, steering = answer, float(answer["steering"][0])
            if len(watched) < watch:
                watched.append((race.frame, answer["weights"][0].numpy(), steering))
            race.step(steering)
        report = {
            "seed": int(seed),
            "tiles": race.tiles,
            "return": round(race.total_reward, 1),
            "decisions": race.decisions,
        }
        watched = tuple(np.stack(column) for column in zip(*watched))
        return report | {"left_the_road": race.left}, watched


def describe(report):
    """A report in one line.

    Example:

    >>> left = [{"decision": 80, "tile": 35, "x": 1.5, "y": 2.0}]
    >>> describe({"seed": 7, "tiles": 0.12, "return": -20.0, "decisions": 155, "left_the_road": left})
    'track 7: 12.0% of the tiles, return -20, 155 decisions; left the road 1 times, first at decision 80, tile 35, x
    1.5, y 2.0'
    """
    line = f"track {report['seed']}: {100 * report['tiles']:.1f}% of the tiles, return {report['return']:.0f}"
    line += f", {report['decisions']} decisions"
    if not report["left_the_road"]:
        return f"{line}; never left the road"
    first = ", ".join(f"{name} {value}" for name, value in report["left_the_road"][0].items())
    return f"{line}; left the road {len(report['left_the_road'])} times, first at {first}"
