"""`make gpu`: what is to be known of a GPU, in minutes: correctness, times, memory, a profile.

Steps are processes of their own (`steps.py`), so that none takes another's results away; `kit.py`
runs them, on a bare machine too, and collects what they found.
"""
