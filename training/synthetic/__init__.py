"""Fundus photographs that never were, with exact vessel masks.

The demo and the tests need labelled images on a machine that has none. The pictures follow retinal anatomy and a
fundus camera closely enough that what is learned on them carries over to real photographs; they replace no real data.

anatomy draws who is photographed, vessel_tree grows the vessels, vessel_raster and retina turn both into pixel
fields, fundus photographs them, and dataset lays the result out on disk.
"""

from training.synthetic.dataset import write_dataset
from training.synthetic.fundus import Fundus, generate_fundus

__all__ = ["Fundus", "generate_fundus", "write_dataset"]
