"""How a world is drawn from its recipe."""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import numpy as np

from churnlens.results import Segment
from churnlens.simulate import clients as book
from churnlens.simulate import names, scopes
from churnlens.simulate.clients import MONTH, YEAR, Floats
from churnlens.simulate.plan import Cause, Driver, Move, Oddities, Plan, Remedy, Symptom
from churnlens.simulate.worlds import Recipe, recipe

# base level, relative move, spread between clients, noise within, share of zeros, decimals
LEVEL = {
    "procedure": (2.0, (0.9, 2.0), 0.30, 0.45, 0.0),
    "lateness": (1.5, (1.0, 2.2), 0.35, 0.90, 0.0),
    "price": (100.0, (0.07, 0.14), 0.03, 0.02, 0.0),
    "stockout": (6.0, (1.0, 2.2), 0.35, 0.60, 0.35),
    "discount": (4.0, (0.9, 1.6), 0.45, 0.40, 0.25),
    "handling": (10.0, (0.7, 1.4), 0.30, 0.35, 0.0),
    "visit": (0.8, (1.0, 2.0), 0.40, 0.0, 0.0),
    "billing": (0.15, (2.5, 5.0), 0.40, 0.0, 0.0),
    "complaint": (0.10, (2.5, 4.5), 0.50, 0.0, 0.0),
    "call": (0.50, (1.0, 2.0), 0.50, 0.0, 0.0),
    "mailing": (0.70, (0.8, 1.6), 0.30, 0.0, 0.0),
}
PLAIN_MONTHS, PLAIN_MONTHS_MENDED = 36, 48  # of the model case, without a remedy and with one
PLAIN_REMEDY = 33  # month of the model case's remedy, thirteen after its cause
EVENTS = ("visit", "billing", "complaint", "call", "mailing")


def draw(world: str, clients: int | None, seed: int, strength: float = 1.0) -> Plan:
    """Draw a world's plan; the same name, size, seed and strength give the same plan."""
    made = recipe(world)
    rng = np.random.default_rng([seed, zlib.crc32(world.encode())])
    return _Draft(rng, world, made, clients, seed, strength).plan()


class _Draft:
    """The choices of one world while they are being made."""

    def __init__(
        self,
        rng: np.random.Generator,
        world: str,
        made: Recipe,
        clients: int | None,
        seed: int,
        strength: float,
    ) -> None:
        self.rng, self.made, self.strength = rng, made, strength
        self.world, self.seed = world, seed
        self.namer = names.Namer(rng, plain=made.plain)
        self.mended = made.remedy in ("works", "announced")
        self.judged = self.mended and not made.plain  # long enough to judge a remedy
        fewest, most = (1500, 5000) if self.judged else (500, 4000)
        drawn = int(np.exp(rng.uniform(np.log(fewest), np.log(most))))
        n = clients or (700 if made.plain else drawn)
        months = self._months()
        self.start, self.days = self._span(months)
        self.baseline = 0.18 if made.plain else float(rng.uniform(0.15, 0.30))
        self.clients = book.draw(rng, n, self.days, plain=made.plain, turnover=self.baseline)
        self.drivers: dict[str, Driver] = {}
        self.moves: list[Move] = []
        self.causes: list[Cause] = []
        self.mediators: list[str] = []
        self.twins: list[str] = []
        self.remedy: Remedy | None = None
        longest = 2.5 if self.judged else 5.0
        self.lag = float(rng.uniform(1, longest)) * MONTH if not made.plain else 2.0 * MONTH
        self.oddities = Oddities(
            season=float(rng.uniform(0.1, 0.35)), leaving_season=float(rng.uniform(0, 0.3))
        )

    def plan(self) -> Plan:
        """Draw everything in turn."""
        self._odd()
        for place, form in enumerate(self.made.causes):
            self._cause(form, place)
        self._twin()
        self._harmless()
        symptoms = self._symptoms()
        self._innocents()
        self._remedy()
        rng = self.rng
        return Plan(
            world=self.world,
            seed=self.seed,
            strength=self.strength,
            start=self.start,
            days=self.days,
            clients=self.clients,
            drivers=self.drivers,
            moves=tuple(self.moves),
            causes=tuple(self.causes),
            symptoms=symptoms,
            mediators=tuple(self.mediators),
            twins=tuple(self.twins),
            oddities=self.oddities,
            baseline=self.baseline,
            new_client_factor=float(rng.uniform(1.2, 2.2)),
            fade=float(rng.uniform(0, 6)) * MONTH if not self.made.plain else 2.5 * MONTH,
            partial=float(rng.uniform(1 / 3, 1 / 2)),
            basket_share=float(rng.uniform(0.2, 0.6)),
            reaction=self.lag,
            remedy=self.remedy,
        )

    # -- parts ---------------------------------------------------------------------------------

    def _span(self, months: int) -> tuple[np.datetime64, float]:
        first = np.datetime64("2018-01") + int(self.rng.integers(0, 60))
        start = np.datetime64("2022-01") if self.made.plain else first
        days = (start + months).astype("datetime64[D]") - start.astype("datetime64[D]")
        return start.astype("datetime64[D]"), float(days.astype(int))

    def _months(self) -> int:
        if self.made.plain:
            return PLAIN_MONTHS_MENDED if self.mended else PLAIN_MONTHS
        return int(self.rng.integers(42 if self.judged else 24, 49))

    def _when(self) -> float:
        """Draw the day of a move: from a third of the span on, leaving months to be felt."""
        if self.judged:
            return self._month_start(self.rng.uniform(0.25, 0.35) * self.days)
        latest = min(0.55 * self.days, self.days - self.lag - 9 * MONTH)
        day = self.rng.uniform(0.33 * self.days, max(latest, 0.38 * self.days))
        if self.made.plain:
            day = 20 * MONTH
        if self.made.plain or self.rng.random() < 0.5:
            return self._month_start(day)
        return float(np.round(day))

    def _month_start(self, day: float) -> float:
        month = (self.start + int(day)).astype("datetime64[M]").astype("datetime64[D]")
        return float((month - self.start).astype(int))

    def _driver(self, form: str, **changes: Any) -> str:
        base, _, spread, noise, zeros = LEVEL[form]
        name = self.namer.name(form)
        scale = 1.0 if form == "price" or self.made.plain else float(self.rng.uniform(0.7, 1.4))
        made = Driver(
            name=name,
            form=form,
            is_event=form in EVENTS,
            base=base * scale,
            client_cv=spread,
            noise_cv=noise,
            zeros=zeros,
            missing=0.0 if self.rng.random() < 0.6 else float(self.rng.uniform(0, 0.05)),
            levels=names.LEVELS[0 if self.made.plain else int(self.rng.integers(4))]
            if form == "visit"
            else (),
            valued=form in ("billing", "complaint") or self.rng.random() < 0.2,
            per_order=form in ("billing", "complaint"),
        )
        self.drivers[name] = dataclasses.replace(made, **changes)
        return name

    def _dose(self, scope: Segment) -> Floats:
        """Dose by client, mean 1 in the scope: gamma or lognormal."""
        n = len(self.clients)
        cv = self.rng.uniform(0.4, 0.8)
        if self.rng.random() < 0.5:
            dose = self.rng.gamma(1 / cv**2, cv**2, n)
        else:
            sigma = np.sqrt(np.log1p(cv**2))
            dose = self.rng.lognormal(-(sigma**2) / 2, sigma, n)
        return np.asarray(np.where(self.clients.members(scope), dose, 0.0))

    def _move(self, driver: str | None, scope: Segment, day: float, dose: Floats) -> Move:
        form = self.drivers[driver].form if driver else "procedure"
        low, high = LEVEL[form][1]
        size = float(self.rng.uniform(low, high))
        if form == "visit" and "visit" in self.made.causes:
            size = -float(self.rng.uniform(0.6, 0.9))
        ramp = float(self.rng.uniform(0, 5)) * MONTH if not self.made.plain else 1.5 * MONTH
        move = Move(driver, scope, day, ramp, size, dose)
        self.moves.append(move)
        return move

    def _cause(self, form: str, place: int) -> None:
        rng = self.rng
        scope: Segment = {"size": ("key",)} if self.made.plain else self._scope(place)
        driver = self._driver(form) if self.made.recorded else None
        day = -5 * YEAR if self.made.standing else self._when()
        move = self._move(driver, scope, day, self._dose(scope))
        via = self._channel(move) if self.made.via_complaints else None
        steady = self.made.standing or self.judged
        shape = 1 if steady else int(rng.choice([1, 2, 3]))
        forgets = not steady and rng.random() < 0.4
        self.causes.append(
            Cause(
                move=move,
                direction="less" if move.size < 0 else "more",
                lag=self.lag,
                excess=self._excess(scope, day + move.ramp / 2 + (shape - 1) * 1.5 * MONTH),
                shape=shape,
                half_life=float(rng.uniform(4, 12)) * MONTH if forgets else None,
                via=via,
                standing=self.made.standing,
            )
        )

    def _channel(self, move: Move) -> str:
        """Complaints that rise by the same dose, a little later."""
        name = self._driver("complaint")
        self.moves.append(
            Move(
                name, move.scope, move.day + 10, move.ramp, float(self.rng.uniform(3, 5)), move.dose
            )
        )
        self.mediators.append(name)
        return name

    def _excess(self, scope: Segment, day: float) -> float:
        """Draw the rise over the baseline: 1.6 to 2.6 times, more where that would not show.

        At strength 1 it shows to whoever knows scope and date: the log ratio of rates is 7 to 11
        of its standard errors.
        """
        yearly = int(self.clients.members(scope).sum()) * self.baseline
        years = max((self.days - max(day, 0) - self.lag - 3 * MONTH) / YEAR, 0.3)
        before = yearly * max(day / YEAR, 1.0)
        drawn = 2.4 if self.made.plain else float(self.rng.uniform(1.6, 2.6))
        drawn *= 1.4 if self.mended else 1.0
        rises = np.linspace(0.5, 8.0, 76)
        error = np.sqrt(1 / (yearly * years * (1 + rises)) + 1 / before)
        shows = rises[np.log1p(rises) / error >= self.rng.uniform(7, 11)]
        return self.strength * max(drawn, float(shows.min(initial=8.0)))

    def _scope(self, place: int = 0) -> Segment:
        beside = self.clients.members(self.causes[0].move.scope) if place else None
        fewest = 18 / (self.baseline * 0.35 * self.days / YEAR)  # so that a rise can show at all
        return scopes.draw(self.rng, self.clients, beside, fewest=fewest, large=self.judged)

    # -- what does nothing -----------------------------------------------------------------------

    def _spare(self, forms: tuple[str, ...]) -> str:
        """Draw a form that this world has not used yet."""
        used = {d.form for d in self.drivers.values()} | set(self.made.causes)
        free = [f for f in forms if f not in used] or ["handling"]
        return free[int(self.rng.integers(len(free)))]

    def _twin(self) -> None:
        if self.made.twin is None:
            return
        cause = self.causes[0].move
        name = self._driver(self._spare(("lateness", "stockout", "handling")))
        same = self.made.twin == "same"
        dose = cause.dose if same else self._dose(cause.scope)
        size = float(self.rng.uniform(*LEVEL[self.drivers[name].form][1]))
        self.moves.append(Move(name, cause.scope, cause.day, cause.ramp, size, dose))
        if same:
            self.twins = [str(cause.driver), name]

    def _harmless(self) -> None:
        """One that moves in an overlapping group, one that is high in a churn-prone channel."""
        rng = self.rng
        scope = self._decoy_scope()
        timed = [c.move.day for c in self.causes if not c.standing]
        day = timed[0] + rng.uniform(-1, 1) * MONTH if timed else self._when()
        name = self._driver(self._spare(("lateness", "stockout", "handling", "billing")))
        self._move(name, scope, float(np.round(day)), self._dose(scope))
        if self.made.oddity == "nobody_minds":
            self.moves[-1] = dataclasses.replace(self.moves[-1], size=2 * self.moves[-1].size)
        attribute, values = next(iter(self._risky().items()))
        self._driver(
            self._spare(("handling", "stockout", "mailing")),
            offset=(attribute, values[0], float(rng.uniform(1.4, 2.2))),
        )

    def _decoy_scope(self) -> Segment:
        found = scopes.of_share(scopes.candidates(self.clients), 0.12, 0.5)
        if self.causes:
            near = scopes.overlapping(found, self.clients.members(self.causes[0].move.scope))
            found = near or found
        return found[int(self.rng.integers(len(found)))][0] if found else self._scope()

    def _risky(self) -> Segment:
        """Draw the churn-prone group, once, apart from the causes' attributes where possible."""
        if self.oddities.risky is not None:
            return self.oddities.risky[0]
        taken = {a for c in self.causes for a in c.move.scope}
        every = scopes.candidates(self.clients)
        low = 0.2 if self.made.oddity == "mix" else 0.05
        single = [s for s, m in scopes.of_share(every, low, 0.5) if len(s) == 1]
        free = [s for s in single if not set(s) & taken] or single or [self._scope()]
        group = free[int(self.rng.integers(len(free)))]
        factor = float(self.rng.uniform(1.5, 2.2))
        self._change(risky=(group, factor))
        return group

    def _innocents(self) -> None:
        """Drivers that do nothing; one of them drifts for everybody."""
        kinds = ("handling", "mailing", "price", "lateness", "billing", "stockout")
        for place in range(int(self.rng.integers(2, 5))):
            trend = float(self.rng.uniform(0.1, 0.3)) if place == 0 else 0.0
            self._driver(self._spare(kinds), trend=trend)

    def _symptoms(self) -> tuple[Symptom, ...]:
        """Discounts, visits and calls after the onset; visits not where visits are the cause."""
        strong = 2.0 if self.made.oddity == "reactive" else 1.0
        forms = ["discount", "call" if "visit" in self.made.causes else "visit"]
        if self.rng.random() < 0.5 and "call" not in forms:
            forms.append("call")
        made = []
        for form in forms:
            delay = (1.0 * MONTH, float(self.rng.uniform(1.5, 3)) * MONTH)
            size = strong * float(self.rng.uniform(1.5, 3.5))
            noticed = float(self.rng.uniform(0.6, 0.95))
            made.append(Symptom(self._driver(form), noticed, delay, 5 * MONTH, size))
        return tuple(made)

    def _odd(self) -> None:
        """Draw the harmless oddity of a quiet world."""
        rng, days = self.rng, self.days
        match self.made.oddity:
            case "mix":
                group = self._risky()
                factor = float(rng.uniform(2.2, 3.0))
                self._change(risky=(group, factor), newcomers=group)
                self._bring_in(group)
            case "one_off":
                self._change(one_off=float(rng.uniform(0.06, 0.15)))
                self._add_one_off()
            case "season":
                self._change(season=float(rng.uniform(0.7, 0.95)))
            case "gap":
                begin = float(rng.uniform(0.3, 0.7)) * days
                scope = {} if rng.random() < 0.5 else self._scope()
                self._change(gap=(begin, begin + float(rng.uniform(35, 75))), gap_scope=scope)
            case "recall":
                self._change(recall=(float(rng.uniform(0.4, 0.7)) * days, self._scope()))

    def _change(self, **changes: Any) -> None:
        self.oddities = dataclasses.replace(self.oddities, **changes)

    def _add_one_off(self) -> None:
        """Bulk buyers who come once, most of them in one season."""
        n = len(self.clients)
        one_off = self.rng.random(n) < self.oddities.one_off
        day = np.clip(self.rng.normal(0.65 * self.days, 60, n), 0, self.days - 20)
        entry = np.where(one_off, day, self.clients.entry)
        self.clients = dataclasses.replace(self.clients, one_off=one_off, entry=entry)

    def _bring_in(self, scope: Segment) -> None:
        """Let most members of a segment come in only late in the data: the mix moves."""
        late = self.clients.members(scope) & (self.rng.random(len(self.clients)) < 0.75)
        day = self.rng.uniform(0.35 * self.days, 0.75 * self.days, len(self.clients))
        self.clients = dataclasses.replace(
            self.clients, entry=np.where(late, day, self.clients.entry)
        )

    def _remedy(self) -> None:
        """Draw a remedy in the cause's scope; one at the trough is chosen when all is played."""
        if self.made.remedy in (None, "trough"):
            return
        cause = self.causes[0]
        self.remedy = self._plain_remedy(cause) if self.made.plain else self._drawn_remedy(cause)
        scope = self.remedy.scope
        move = dataclasses.replace(
            cause.move, remedy=self.remedy, remedied=self.clients.members(scope)
        )
        self.moves = [move if m is cause.move else m for m in self.moves]
        self.causes[0] = dataclasses.replace(cause, move=move)

    def _drawn_remedy(self, cause: Cause) -> Remedy:
        latest = self.days - 7 * MONTH
        early = min(cause.move.day + self.lag + 8 * MONTH, latest)
        late = min(0.68 * self.days, latest)
        day = self._month_start(self.rng.uniform(early, max(late, early + 1)))
        works = self.made.remedy == "works"
        scope = scopes.part_of(self.clients, cause.move.scope) if works else cause.move.scope
        cut = float(self.rng.uniform(0.8, 1.0)) if works else 0.0
        action = names.pick(self.rng, names.ACTIONS)
        kind = "works" if works else "announced"
        return Remedy(action, scope, day, cut, 0.7 * MONTH, cause.move.driver, kind)

    def _plain_remedy(self, cause: Cause) -> Remedy:
        """Take nine tenths of the move back in all of its scope."""
        day = self._month_start(PLAIN_REMEDY * MONTH + 5)
        scope, driver = cause.move.scope, cause.move.driver
        return Remedy("one approval step fewer", scope, day, 0.9, 0.7 * MONTH, driver, "works")
