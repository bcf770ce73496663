"""A lap in gymnasium's CarRacing-v3 from the driver's view, and an expert that knows the track.

Recording and closed-loop drives share the frames, the pace of 25 decisions a second, and the rule for gas and brake,
which depends only on speed and steering. This module does not need TensorFlow.
"""

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError

if TYPE_CHECKING:
    import gymnasium

FRAME_SIZE = (84, 96)  # without the lowest 12 of 96 rows, which show speed, steering and rotation
REPEAT = 2  # simulator steps of 1/50 s for each decision
MAX_STEPS = 2000  # simulator steps of a lap
ROAD_HALF_WIDTH = 40 / 6.0  # metres, of the simulator
WHEELBASE = 3.24
MAX_STEERING = 0.4  # rad, largest angle of the front wheels
FAST, SLOW = 42.0, 20.0  # metres a second, on a straight road and in the sharpest bend
BEND = 0.25  # rad of steering in the sharpest bend
LOOKAHEAD = (6.0, 0.25)  # the expert aims so many metres, plus seconds times the speed, ahead
LOST = 75  # decisions in a row off the road after which the lap ends


class Race:
    """One lap on the track of a seed, headless. Use it in a `with` statement.

    Args:
        seed: Integer, seed of the track.

    Attributes:
        frame: uint8 `(84, 96, 3)`, the image of the camera above the car, without the instruments.
        decisions: Number of decisions so far, 25 a second.
        finished: Whether the lap has ended: it is complete, out of time, or the car is lost.
        left: `{"decision", "tile", "x", "y"}` of each time that the car left the road.

    Raises:
        UserError: Gymnasium with Box2D is not installed.
    """

    def __init__(self, seed: int):
        self.environment = make_environment()
        frame, _ = self.environment.reset(seed=int(seed))
        self.world = self.environment.unwrapped
        self.line = np.array([point[2:4] for point in self.world.track])  # centre of the road, (N, 2)
        self.frame = frame[: FRAME_SIZE[0]]
        self.decisions, self.total_reward, self.finished = 0, 0.0, False
        self.left, self._off_road = [], 0

    def __enter__(self) -> "Race":
        return self

    def __exit__(self, *_: object) -> None:
        self.environment.close()

    @property
    def speed(self) -> float:
        """Speed in metres a second, float."""
        return float(np.linalg.norm(self.world.car.hull.linearVelocity))

    @property
    def tiles(self) -> float:
        """Share of the track's tiles that the car has touched, in [0, 1]."""
        return self.world.tile_visited_count / len(self.line)

    @property
    def position(self) -> np.ndarray:
        """Position (x, y) of the car, in metres."""
        return np.array(self.world.car.hull.position)

    def step(self, steering: float, noise: float = 0.0) -> None:
        """Drives for 1/25 s.

        Args:
            steering: Angle of the front wheels in rad, to the right above 0; beyond ±0.4 they do not turn.
            noise: Added to the angle of the wheels. It does not change gas and brake.
        """
        angle = float(np.clip(steering + noise, -MAX_STEERING, MAX_STEERING))
        for _ in range(REPEAT):
            action = np.array([angle, *pedals(steering, self.speed)], dtype=np.float32)
            frame, reward, terminated, truncated, _ = self.environment.step(action)
            self.total_reward += reward
            self.finished = terminated or truncated
            if self.finished:
                break
        self.frame = frame[: FRAME_SIZE[0]]
        self.decisions += 1
        self._watch_the_road()

    def _watch_the_road(self) -> None:
        distances = np.linalg.norm(self.line - self.position, axis=1)
        nearest = int(distances.argmin())
        if distances[nearest] <= ROAD_HALF_WIDTH:
            self._off_road = 0
            return
        if not self._off_road:
            x, y = self.position.round(1).tolist()
            self.left.append({"decision": self.decisions, "tile": nearest, "x": x, "y": y})
        self._off_road += 1
        self.finished = self.finished or self._off_road >= LOST

    def expert_steering(self) -> float:
        """Returns the angle of pure pursuit (Coulter 1992): of the circle through the car and a point ahead."""
        position, angle = self.position, self.world.car.hull.angle
        nearest = int(np.linalg.norm(self.line - position, axis=1).argmin())
        ahead = np.roll(self.line, -nearest, axis=0)[:40] - position  # (40, 2)
        reach = LOOKAHEAD[0] + LOOKAHEAD[1] * self.speed
        target = ahead[int((np.linalg.norm(ahead, axis=1) >= reach).argmax())]
        to_the_right = target @ [math.cos(angle), math.sin(angle)]
        curvature = 2.0 * to_the_right / max(float(target @ target), 1e-6)
        return float(np.clip(math.atan(WHEELBASE * curvature), -MAX_STEERING, MAX_STEERING))


def pedals(steering: float, speed: float) -> tuple[float, float]:
    """Returns gas and brake for a steering and a speed: the sharper the bend, the slower.

    Example:

    >>> pedals(steering=0.0, speed=10.0), pedals(steering=0.3, speed=40.0)
    ((1.0, 0.0), (0.0, 0.4))
    """
    wanted = FAST - (FAST - SLOW) * min(1.0, abs(steering) / BEND)
    gas = min(1.0, max(0.0, 0.1 * (wanted - speed)))
    brake = 0.4 if speed > wanted + 4.0 else 0.0
    return gas, brake


def make_environment() -> "gymnasium.Env":
    """Returns the simulator, without a window."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        import gymnasium
        from gymnasium.envs.box2d import car_racing  # noqa: F401  fails where Box2D or pygame is missing
    except ImportError as error:  # gymnasium's own DependencyNotInstalled is one
        raise UserError(f'the simulator is missing ({error}): pip install "attention-zoo[driving]"') from None
    return gymnasium.make("CarRacing-v3", max_episode_steps=MAX_STEPS)


def record(seed: int, noise_seed: int = 0, noise: float = 0.0, max_decisions: int = 0) -> dict[str, Any]:
    """Records a lap of the expert, with noise, so that the data holds recoveries (Laskey et al. 2017, "DART").

    The wheels get the steering of the expert plus the noise of an Ornstein-Uhlenbeck process. The recorded steering is
    the expert's, without the noise.

    Args:
        seed: Integer, seed of the track.
        noise_seed: Integer, seed of the noise. Defaults to 0.
        noise: Standard deviation of the noise, in rad. Defaults to 0.
        max_decisions: Number of decisions after which the lap ends; 0 drives to its end. Defaults to 0.

    Returns:
        A dict of columns: frames uint8 `(N, 84, 96, 3)`, steering and speed float32 `(N,)`; and tiles, the share of
        the track that was driven.
    """
    generator = np.random.default_rng([seed, noise_seed])
    frames, steerings, speeds, disturbance = [], [], [], 0.0
    with Race(seed) as race:
        while not race.finished and (not max_decisions or race.decisions < max_decisions):
            steering = race.expert_steering()
            frames.append(race.frame)
            steerings.append(steering)
            speeds.append(race.speed)
            disturbance += -0.1 * disturbance + noise * math.sqrt(0.19) * generator.normal()
            race.step(steering, disturbance)
        tiles = race.tiles
    columns = {"frames": np.stack(frames), "steering": np.float32(steerings), "speed": np.float32(speeds)}
    return columns | {"tiles": tiles}
