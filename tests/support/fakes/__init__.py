"""A deterministic world in one process: a stack over fakes that are held to the real servers by contract tests.

    world = FakeWorld()                       # DynamoDB, a node with the real token, Lambda, S3, upstream, clock
    buyer = Buyer(world)                      # a payer who follows the rules (client.py)
    told = buyer.buy()                        # offer, signature, paid call, resends: about 5 ms
    world.advance(60); world.reconcile()      # time passes only so; blocks come every 2 s of it
    world.effects.story()                     # every effect that reached the outside, in order, with its process

* What is ours runs unchanged: Gateway, FunctionSettler, SettleService, Sweep, the ledgers over ``Table``, EvmChain.
* ``FakeWorld({7: "after", 31: "before"})`` lets effects fail (effects.py): the process dies, or is told of an error.
  Each invocation is a process of its own; a crash takes its warm instance along, and nothing else.
* ``world.together(a, b, pick=...)`` runs callables at once in threads that take turns. Without ``pick`` they change at
  sleeps only. With one they stop before every effect *and* read, and ``pick(runnable_jobs)`` says who goes on:
  ``job.about_to`` is ``(process, kind, detail)`` of its next step. Any schedule of steps can be walked that way.
* ``world.node`` is the chain: ``reorganise``, ``accept`` (somebody else's transaction), ``base_fee``, ``down``,
  ``receipts_hidden_until``, ``give_gas``. ``world.clock.at(when, act)`` lets others act while somebody sleeps.
* ``world.effects.watchers`` are called around every effect, ``world.dynamo.observers`` with every changed item,
  ``world.on_answer`` with every answer that leaves: where invariants are checked.
* ``world.upstream.status``, ``.failure``, ``.seconds``, ``.padding`` say what is sold; ``.runs`` and ``.served`` count.
"""
