"""Two models in cimba's own form; imported only where cimba is installed."""
# ruff: noqa: ANN201, D102  # cimba compiles these methods as they stand

import cimba
from cimba import inputs


class Single(cimba.Model):
    """M/M/1 at load 0.8."""

    interarrival: cimba.Input[float] = inputs.dist.exponential(mean=1 / 0.8)
    service: cimba.Input[float] = inputs.dist.exponential(mean=1)
    queue: cimba.Container
    mean_queue: cimba.Output[float]

    @cimba.process
    def arrivals(self):
        while True:
            cimba.hold(self.interarrival.next())
            self.queue.put(1)

    @cimba.process
    def server(self):
        while True:
            self.queue.get(1)
            cimba.hold(self.service.next())

    @cimba.on_end
    def measure(self):
        self.mean_queue = self.queue.mean_level()


class Tandem(cimba.Model):
    """Three servers in a row with five places each, held until the next place is free."""

    interarrival: cimba.Input[float] = inputs.dist.exponential(mean=1 / 0.8)
    service: cimba.Input[float] = inputs.dist.exponential(mean=1)
    first_queue: cimba.Container
    second_queue: cimba.Container
    third_queue: cimba.Container
    first_places: cimba.Container = cimba.Container(initial=5)
    second_places: cimba.Container = cimba.Container(initial=5)
    third_places: cimba.Container = cimba.Container(initial=5)
    mean_queue: cimba.Output[float]

    @cimba.process
    def arrivals(self):
        while True:
            cimba.hold(self.interarrival.next())
            if self.first_places.level() > 0:
                self.first_places.get(1)
                self.first_queue.put(1)

    @cimba.process
    def first(self):
        while True:
            self.first_queue.get(1)
            cimba.hold(self.service.next())
            self.second_places.get(1)
            self.first_places.put(1)
            self.second_queue.put(1)

    @cimba.process
    def second(self):
        while True:
            self.second_queue.get(1)
            cimba.hold(self.service.next())
            self.third_places.get(1)
            self.second_places.put(1)
            self.third_queue.put(1)

    @cimba.process
    def third(self):
        while True:
            self.third_queue.get(1)
            cimba.hold(self.service.next())
            self.third_places.put(1)

    @cimba.on_end
    def measure(self):
        self.mean_queue = self.first_queue.mean_level()
